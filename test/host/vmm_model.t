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

ok "it builds without a warning" build "$WORK/o/obj/run/task.o"
task=$WORK/o/obj/run/task.o
like "the task's code is one page at most" \
	"$(size -A "$task" | awk '$1 == "task_code" { print ($2 <= 4096) ? "fits" : $2 }')" fits
is "and needs nothing but itself" "$(nm -u "$task")" ''
is "nor data" "$(size -A "$task" | awk '$1 ~ /^\.(data|bss|rodata)/ { sum += $2 } END { print sum + 0 }')" 0
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
