#!/bin/bash
# SPDX-License-Identifier: MIT
# When the kernel of the lab goes wrong, lab/boot notices.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

# boots HOW STATUS REPORT SCRIPT [options]
boots() {
	local how=$1 want=$2 report=$3 script=$4 status=0
	shift 4
	"$TOP/lab/boot" -n "lab_$how" "$@" -- sh -c "$script" 2>"$tmp/says" || status=$?
	is "$how: the boot ends with $want" "$status" "$want"
	like "$how: the message names the report" "$(cat "$tmp/says")" "$report"
}

module='insmod /modules/labfail.ko how'
boots warn 126 'WARNING: ' "$module=warn; exit 0"
boots oops 125 'BUG: kernel NULL pointer' "$module=oops; exit 0"
# the end of each sleep gives RCU something to wait for
boots hang 126 'detected (expedited )?stall' \
	"taskset 2 $module=hang & for i in 1 2 3 4 5 6; do sleep 2; done; exit 0" \
	-a rcupdate.rcu_cpu_stall_timeout=3
boots task 126 'blocked for more than' \
	"echo 2 >/proc/sys/kernel/hung_task_timeout_secs; $module=task & sleep 10; exit 0"
