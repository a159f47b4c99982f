#!/bin/bash
# SPDX-License-Identifier: MIT
# liboffmap: its unit tests on a double of KVM, under ASan and UBSan.  Also its
# exports, its documentation, and how it is installed and linked to.
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
symbols() { sed -n 's/^ \(offmap_[a-z_]*\)@LIBOFFMAP_.*/\1/p' "$TOP/packaging/debian/liboffmap0.symbols"; }
# The numbers that programs have in them: of structures, flags and enums.
cat >"$WORK/abi.c" <<'END'
#include <stddef.h>
#include <stdio.h>
#include <offmap.h>
#define S(x) printf("%s %zu\n", #x, (size_t)(x))
#define M(s, m) printf("%s.%s %zu\n", #s, #m, offsetof(struct s, m))
int main(void)
{
	S(sizeof(struct offmap_support));
	M(offmap_support, features), M(offmap_support, reason), M(offmap_support, error);
	M(offmap_support, max_slots), M(offmap_support, guest_memfd_flags);
	S(sizeof(struct offmap_slot));
	M(offmap_slot, slot), M(offmap_slot, flags), M(offmap_slot, guest_addr);
	M(offmap_slot, offset), M(offmap_slot, size), M(offmap_slot, addr);
	M(offmap_slot, struct_size);
	S(OFFMAP_CAN_PROTECT), S(OFFMAP_CAN_WRITE), S(OFFMAP_CAN_HUGE);
	S(OFFMAP_CREATE_ALLOW_HUGE);
	S(OFFMAP_MAP_FIXED), S(OFFMAP_MAP_READ_ONLY), S(OFFMAP_MAP_POPULATE), S(OFFMAP_MAP_FORK);
	S(OFFMAP_REASON_NONE), S(OFFMAP_REASON_NO_FLAG);
}
END
abi() { cc -I"$VMM/include" -o "$WORK/abi" "$WORK/abi.c" && "$WORK/abi"; }
is "it exports what the symbols file of the package has" "$(exported "$so")" "$(symbols)"
is "structures, flags and enums are those of version 0.1" "$(abi)" "$(cat "$VMM/test/abi-0.1")"
is "it has no writable data of its own" \
	"$(objdump -t "$WORK/o/lib/liboffmap.a" | grep -E ' O (\.data|\.bss|\*COM\*)\s' || :)" ''
if build "$WORK/o/san/lib_test" >"$WORK/log" 2>&1; then
	tap_guest "$("$WORK/o/san/lib_test" 2>&1)"
else
	tap_fail "unit tests build" "$(cat "$WORK/log")"
fi
# The library and the command for other C libraries, compilers and machines.
# builds CLAIM COMPILER [ARGUMENTS OF make...]
builds() {
	local claim=$1 cc=$2
	shift 2
	if command -v "$cc" >/dev/null; then
		ok "$claim" make -s -C "$VMM" O="$WORK/$cc" CC="$cc" "$@"
	else
		skip "$claim" "$cc is not installed"
	fi
}
builds "clang builds all without a warning" clang all
builds "gcc for arm64 builds all without a warning" aarch64-linux-gnu-gcc \
	AR=aarch64-linux-gnu-ar all
# Debian's musl-gcc does not look for the kernel's headers
mkdir "$WORK/headers"
ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(cc -print-multiarch)/asm" \
	"$WORK/headers"
builds "the library builds with musl without a warning" musl-gcc \
	CPPFLAGS="-idirafter $WORK/headers" "$WORK/musl-gcc/lib/liboffmap.a"
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
