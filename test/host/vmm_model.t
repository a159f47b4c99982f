#!/bin/bash
# SPDX-License-Identifier: MIT
# The model of memslots and of their memory, on a double of KVM, under ASan and UBSan.
# Also the code that offmap run puts into a VMM.  vmm_run.t and test/boot/vmm.t test
# it with a real VMM.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
unset MAKEFLAGS MAKELEVEL

build() { make -s -C "$TOP/vmm" O="$WORK/o" "$@"; }

# task_of ARCHITECTURE COMPILER-PREFIX
task_of() {
	local object=$WORK/$1/obj/run/task.o
	if ! command -v "$2gcc" >/dev/null; then
		skip "the task's code for $1" "$2gcc is missing: sudo make packages"
		return
	fi
	ok "the task's code for $1 builds without a warning" make -s -C "$TOP/vmm" O="$WORK/$1" \
		CC="$2gcc" "$object"
	like "it is for $1" "$(readelf -h "$object")" "Machine: .*$1"
	like "it is one page at most" \
		"$(size -A "$object" | awk '$1 == "task_code" { print ($2 <= 4096) ? "fits" : $2 }')" fits
	is "it needs nothing but itself" "$(nm -u "$object")" ''
	is "nor data" "$(size -A "$object" |
		awk '$1 ~ /^\.(data|bss|rodata)/ { sum += $2 } END { print sum + 0 }')" 0
}

case $(uname -m) in
x86_64) task_of X86-64 '' && task_of AArch64 aarch64-linux-gnu- ;;
aarch64) task_of AArch64 '' && task_of X86-64 x86_64-linux-gnu- ;;
esac
if build tests "$WORK/o/san/replay_model" >"$WORK/log" 2>&1; then
	for name in model_test drive_test; do
		tap_guest "$("$WORK/o/san/$name" 2>/dev/null)"
	done
	# after an abort, its last words
	tap_guest "$("$WORK/o/san/replay_model" "$TOP/vmm/test/corpus/fuzz_model" \
		2>"$WORK/replay" || tail -n 20 "$WORK/replay")"
else
	tap_fail "unit tests build" "$(cat "$WORK/log")"
fi
