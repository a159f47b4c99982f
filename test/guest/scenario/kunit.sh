#!/bin/sh
# SPDX-License-Identifier: MIT
# KUnit's suites ran while the kernel booted; each of their cases is a test here.
#
# Arguments: the suites that have to be there; "again" before them runs them once
# more, with what the kernel's command line has set up since (sysctl.*=).
# shellcheck source=/dev/null
. /tap.sh

RESULTS=/sys/kernel/debug/kunit

# skip_reason CASE REASON: KUnit forgets it when a suite runs again, the log of the
# first run has it.
skip_reason() {
	[ "${2:- }" = ' ' ] || { echo "${2# }"; return; }
	dmesg | sed -n "s/.* ok [0-9]* $1 # SKIP \(..*\)/\1/p" | head -n 1
}

# The line of a case, e.g. "    ok 1 zap_and_restore", "    ok 2 x # SKIP why".
kunit_case() {
	cat "$RESULTS/$1/results"
	line=$(grep -E "^ +(not )?ok [0-9]+ $2( |$)" "$RESULTS/$1/results")
	case $line in
	*'# SKIP'*) skip_reason "$2" "${line#*# SKIP}"; return 4 ;;
	*'not ok'*) return 1 ;;
	*ok*) return 0 ;;
	esac
	return 1
}

run_again() {
	echo now >"$RESULTS/$1/run"
}

again=''
if [ "$1" = again ]; then
	again=yes
	shift
fi
for suite; do
	[ -z "$again" ] || t "kunit: suite $suite runs again" run_again "$suite"
	t "kunit: suite $suite ran" grep -q "^ok [0-9]* $suite\>" "$RESULTS/$suite/results"
	sed -nE 's/^ +(not )?ok [0-9]+ ([a-z0-9_]+).*/\2/p' \
		"$RESULTS/$suite/results" >/tmp/cases
	while read -r name <&4; do
		t "kunit: $suite: $name" kunit_case "$suite" "$name"
	done 4</tmp/cases
done
plan
