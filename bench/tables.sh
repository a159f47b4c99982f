# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Tables in a document: each stands between a marker, a line of its own, and `<!-- end -->`.
# Sourced after lab/lib.sh.

# with_tables FILE COMMAND: FILE with each table as COMMAND prints it for its marker.
# COMMAND prints nothing for other comments.
with_tables() {
	local line skip=''
	while IFS= read -r line; do
		[ "$line" != '<!-- end -->' ] || skip=''
		[ -n "$skip" ] || printf '%s\n' "$line"
		[[ $line == '<!-- '*' -->' && $line != '<!-- end -->' ]] || continue
		skip=$("$2" "$line")
		[ -z "$skip" ] || printf '%s\n' "$skip"
	done <"$1"
	[ -z "$skip" ] || die "${1#"$TOP"/}: a table has no '<!-- end -->'"
}
