#!/bin/bash
# SPDX-License-Identifier: MIT
# The preload shim on a double of KVM, under ASan and UBSan, and what it is
# made of.  How it does with a real VMM is shown by test/boot/vmm.t.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
unset MAKEFLAGS MAKELEVEL

build() { make -s -C "$TOP/vmm" O="$WORK/o" "$@"; }

ok "it builds without a warning" build "$WORK/o/lib/liboffmap-preload.so"
shim=$WORK/o/lib/liboffmap-preload.so
is "the shim needs libc alone" \
	"$(readelf -d "$shim" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" libc.so.6
is "it stands before what has to change, and nothing else" \
	"$(nm -D --defined-only "$shim" | sed 's/.* //' | tr '\n' ' ')" \
	'close ioctl madvise mmap mmap64 mremap munmap '
is "a program that has no VM does not notice it" \
	"$(LD_PRELOAD=$shim sh -c 'echo fine' 2>&1)" fine
if build tests >"$WORK/log" 2>&1; then
	for name in shim_test drive_test; do
		tap_guest "$("$WORK/o/san/$name" 2>/dev/null)"
	done
else
	tap_fail "unit tests build" "$(cat "$WORK/log")"
fi
