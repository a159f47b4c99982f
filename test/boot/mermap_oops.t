#!/bin/bash
# SPDX-License-Identifier: MIT
# A kernel thread that dies with a mapping of the mermap takes nothing with it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# lab/boot fails on any report in the log: here three are wanted, and nothing else.
only_wanted_reports() {
	local log=$OUT/logs/mermap_oops/console.log clean
	clean=$(mktemp)
	[ "$(grep -c 'BUG: unable to handle page fault for address' "$log")" = 3 ] || return 1
	grep -vE 'BUG: unable to handle page fault for address|Oops: Oops: 0002' \
		"$log" >"$clean"
	"$TOP/lab/logcheck" "$clean"
	rm -f "$clean"
}

status=0
says=$(mktemp)
out=$("$TOP/lab/boot" -n mermap_oops -c 4 -m 1G -t 300 -a "kunit.enable=1 mermap_kunit.oops=1" -- \
	/scenario/mermap.sh dead 2>"$says") || status=$?
tried_again "$says"
rm "$says"
tap_guest "$out"
is "the lab notices the reports" "$status" 126
ok "there are no others" only_wanted_reports
