#!/bin/bash
# SPDX-License-Identifier: MIT
# Every shell script is clean, short and licensed.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$TOP"
FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT

# Scripts and what they source, but not what belongs to Linux.
shell_files() {
	find . \( -path ./.git -o -path ./out -o -path ./kernel/tree \) -prune -o -type f -print |
		while read -r f; do
			case $f in
			*.sh) echo "$f" ;;
			*) ! head -c 64 "$f" | head -n1 | grep -qaE '^#!.*\b(ba)?sh\b' || echo "$f" ;;
			esac
		done | sort
}

# A file that is sourced sets variables for others.
check() {
	local args=()
	case $1 in
	*.sh) args=(-e SC2034) ;;
	esac
	shellcheck -x -P SCRIPTDIR "${args[@]}" "$1"
}
# Those that shfmt has not written yet.
UNFORMATTED='
lab/bochs.sh lab/boot lab/export lab/packages lab/tree test/lib.sh
test/guest/scenario/absence.sh test/guest/scenario/kunit.sh test/guest/scenario/mermap.sh
test/host/bochs.t test/host/fetch_errors.t test/host/kernel_style.t
test/host/packages_nonroot.t test/host/series_mail.t test/host/series_roundtrip.t
test/host/vmm_cli.t test/host/vmm_lib.t'

formatted() {
	local left=() f
	for f; do
		[[ " ${UNFORMATTED//$'\n'/ } " = *" ${f#./} "* ]] || left+=("$f")
	done
	shfmt -d "${left[@]}"
}

has_licence() { sed -n 1,4p "$1" | grep -q 'SPDX-License-Identifier: '; }

short_functions() {
	awk 'FNR == 1 { name = "" }
		/^[a-z_0-9]+\(\) [{(]$/ { name = $1; from = FNR }
		/^[})]/ && name != "" {
			if (FNR - from > 40) { print FILENAME ": " name " has " FNR - from " lines"; bad = 1 }
			name = ""
		}
		END { exit bad }' "$@"
}

mapfile -t files <<<"$(shell_files)"
ok "there are scripts to check" test "${#files[@]}" -gt 10
# shellcheck disable=SC2016
printf '#!/bin/bash\necho $1\n' >"$FAKE/bad"
{
	echo 'long() {'
	seq 1 45
	echo '}'
} >"$FAKE/long"
for f in "${files[@]}"; do
	if command -v shellcheck >/dev/null; then
		ok "shellcheck: $f" check "$f"
	else
		skip "shellcheck: $f" "shellcheck is not installed: sudo make packages"
	fi
	ok "licence: $f" has_licence "$f"
done
! command -v shellcheck >/dev/null || not_ok "shellcheck finds what is wrong" check "$FAKE/bad"
not_ok "a missing licence is found" has_licence "$FAKE/bad"
if command -v shfmt >/dev/null; then
	ok "shfmt has written them" formatted "${files[@]}"
	not_ok "a script that it has not written is found" formatted "$FAKE/long"
else
	skip "shfmt has written them" "shfmt is not installed: sudo make packages"
fi
ok "functions are short" short_functions "${files[@]}"
not_ok "a long function is found" short_functions "$FAKE/long"
