#!/bin/bash
# SPDX-License-Identifier: MIT
# When the kernel of the lab goes wrong, lab/boot notices.
# Waits: for the reports of hung tasks and CPUs
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
	tried_again "$tmp/says"
	is "$how: the boot ends with $want" "$status" "$want"
	like "$how: the message names the report" "$(cat "$tmp/says")" "$report"
}

module='insmod /modules/labfail.ko how'
# reported REGEX: shell, which waits for the report, however slow the machine is.  Without
# a report it gives up after some minutes.  Each line that it says is a sign of life.  The
# end of each sleep gives RCU something to wait for.
reported() {
	echo "left=150; until dmesg | grep -qE '$1' || [ \$left = 0 ]; do
		left=\$((left - 1)); echo no report yet; sleep 2; done"
}
boots warn 126 'WARNING: ' "$module=warn; exit 0"
boots oops 125 'BUG: kernel NULL pointer' "$module=oops; exit 0"
like "oops: a call trace follows it, indented" "$(cat "$tmp/says")" \
	$'\n  \\[[^\n]*RIP: 0010:labfail_init.*\n  \\[[^\n]*Call Trace:.*\n  \\[[^\n]*do_one_initcall'
stall='detected (expedited )?stall'
boots hang 126 "$stall" "taskset 2 $module=hang & $(reported "$stall"); exit 0" \
	-a rcupdate.rcu_cpu_stall_timeout=3
blocked='blocked for more than'
boots task 126 "$blocked" "echo 2 >/proc/sys/kernel/hung_task_timeout_secs
	$module=task & $(reported "$blocked"); exit 0"
