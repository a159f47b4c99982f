#!/bin/bash
# SPDX-License-Identifier: MIT
# A selftest of upstream that fails runs a second time, few of a boot do, and each shows.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

TWICE=$tmp/twice
# shellcheck source-path=SCRIPTDIR source=../guest/scenario/upstream_lib.sh
. "$TOP/test/guest/scenario/upstream_lib.sh"

# ends NAME STATUS...: a test with the first status in its first run, and so on
ends() {
	local name=$1
	shift
	echo x >>"$tmp/runs.$name"
	shift $(($(wc -l <"$tmp/runs.$name") - 1))
	return "$1"
}

# comes_to WANTED NAME STATUS...: the result of that test, and how often it ran.  A subshell
# has it, as in a scenario.
comes_to() {
	(upstream "$1" "$2" ends "${@:2}" && echo "$result") || echo none
	wc -l <"$tmp/runs.$2"
}

# a boot begins: nothing ran twice yet
begins() {
	rm -f "$tmp"/runs.*
	: >"$TWICE"
}

shown() { show_twice 3>&1; }

is "a test that passes runs once" "$(comes_to pass a 0 1)" $'pass\n1'
is "one that fails as it does without the series, too" "$(comes_to fail b 1 0)" $'fail\n1'
is "one that hangs is not asked again" "$(comes_to pass c 137 0)" $'timeout\n1'
is "none of them shows" "$(shown)" ''
is "one that fails runs twice, and may pass" "$(comes_to pass d 254 0)" $'pass\n2'
is "one that passes against the record does, too" "$(comes_to fail e 0 1)" $'fail\n2'
is "one that fails twice has failed" "$(comes_to pass f 1 4 0)" $'skip\n2'
is "they show, with their count" "$(shown)" "$(
	cat <<'END'
# run twice: d: fail, not pass (1 of 3)
# run twice: e: pass, not fail (2 of 3)
# run twice: f: fail, not pass (3 of 3)
END
)"
is "the fourth of a boot is not asked again" "$(comes_to pass g 1 0)" $'fail\n1'
is "which shows" "$(shown | tail -n 1)" "# not run twice, as 3 were: g: fail, not pass"
is "nor is any later one" "$(comes_to pass h 1 0)" $'fail\n1'
is "one that passes still does" "$(comes_to pass i 0)" $'pass\n1'

begins
for name in {a..z}; do comes_to pass "$name" 1 1; done >"$tmp/all"
is "of 26 tests that fail 3 run twice" \
	"$(grep -cx fail "$tmp/all") $(grep -cx 2 "$tmp/all") $(grep -cx 1 "$tmp/all")" "26 3 23"
