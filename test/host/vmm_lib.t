#!/bin/bash
# SPDX-License-Identifier: MIT
# liboffmap: its unit tests on a double of KVM, under ASan and UBSan; what it
# exports; what it is documented to be; how it is installed and linked to.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
VMM=$TOP/vmm
unset MAKEFLAGS MAKELEVEL

build() { make -s -C "$VMM" O="$WORK/o" PREFIX="$WORK/usr" "$@"; }

exported() { nm -D --defined-only "$1" | sed -n 's/.* T \(.*\)@@LIBOFFMAP_.*/\1/p' | sort; }
mentioned() {
	# functions that a page declares in its synopsis
	grep -h '^\.BI* "' "$VMM"/man/*.3 | grep -o 'offmap_[a-z_]*(' | tr -d '(' | sort -u
}
declared_only() {
	awk '/^OFFMAP_API/ { on = 1 } on { print } /;/ { on = 0 }' "$VMM/include/offmap.h" |
		grep -o 'offmap_[a-z_]*(' | tr -d '(' | sort -u
}
clean_page() { [ -z "$(groff -man -ww -z "$1" 2>&1 | tee /dev/stderr)" ]; }
has_sections() {
	local section
	for section in NAME SYNOPSIS DESCRIPTION EXAMPLES 'SEE ALSO'; do
		grep -q "^\.SH $section" "$1" || { echo "no section $section"; return 1; }
	done
}
with_pkgconfig() {
	local flags
	read -ra flags <<<"$(PKG_CONFIG_PATH=$WORK/usr/lib/pkgconfig pkg-config --cflags --libs liboffmap)"
	cc -Wall -Werror -o "$WORK/minimal" "$VMM/examples/minimal.c" "${flags[@]}"
}
# 77: this machine cannot protect memory, and the example says why
runs() {
	local status=0
	LD_LIBRARY_PATH=$WORK/usr/lib "$WORK/minimal" || status=$?
	[ "$status" = 0 ] || [ "$status" = 77 ]
}

ok "it builds without a warning" build
so=$WORK/o/lib/liboffmap.so
is "the library needs libc alone" \
	"$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" libc.so.6
is "it exports what the header declares" "$(exported "$so")" "$(declared_only)"
is "man pages describe what the header declares" "$(mentioned)" "$(declared_only)"
is "it has no writable data of its own" \
	"$(objdump -t "$WORK/o/lib/liboffmap.a" | grep -E ' O (\.data|\.bss|\*COM\*)\s' || :)" ''
if build "$WORK/o/san/lib_test" >"$WORK/log" 2>&1; then
	tap_guest "$("$WORK/o/san/lib_test" 2>&1)"
else
	tap_fail "unit tests build" "$(cat "$WORK/log")"
fi
ok "it installs" build install
if command -v pkg-config >/dev/null; then
	ok "the example builds with pkg-config" with_pkgconfig
	ok "the example runs" runs
else
	skip "the example builds with pkg-config" "pkg-config is not installed"
fi
for page in "$VMM"/man/*.3; do
	ok "${page##*/} has its sections" has_sections "$page"
	if command -v groff >/dev/null; then
		ok "${page##*/} is clean" clean_page "$page"
	fi
	ok "${page##*/} is installed" test -s "$WORK/usr/share/man/man3/${page##*/}"
done
ok "every function has a page" bash -c "
	for f in $(declared_only | tr '\n' ' '); do
		test -s '$WORK/usr/share/man/man3/'\$f.3 || { echo \$f; exit 1; }
	done"
