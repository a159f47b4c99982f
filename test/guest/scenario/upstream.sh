#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs selftests as upstream has them, and compares each with what came of it
# on Linux without the series.
#
#   upstream.sh compare PART   a test per line of /upstream.tsv
#   upstream.sh record PART    the same lines with what came of them now
#
# A line is: part, seconds allowed, result (pass, fail, skip), command.
# Selftests: kvm mm
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=upstream_lib.sh
. /scenario/upstream_lib.sh

how=$1
part=$2
result=''
tab=$(printf '\t')

run() {
	echo "# $2"
	tap_limited "$1" sh -c "cd /$part && exec ./$2" >/tmp/out 2>&1 3>&- </dev/null
	status=$?
	[ "$status" != 137 ] || cat /tmp/tap.threads >>/tmp/out
	tail -n 20 /tmp/out
	echo "# $(word "$status"): $2"
	return "$status"
}

same() {
	cat /tmp/out
	echo "without the series: $1; with it: $2"
	[ "$1" = "$2" ]
}

# What mm's tests expect of the machine.
echo 64 >/proc/sys/vm/nr_hugepages
# 4 is a skip to the harness, and skips must be the same, too
sed -n "s/^$part$tab//p" /upstream.tsv >/tmp/list
while IFS="$tab" read -r seconds wanted command <&4; do
	case $how in
	record)
		run "$seconds" "$command"
		echo "$part$tab$seconds$tab$(word $?)$tab$command" >&3
		;;
	compare)
		upstream "$wanted" "$command" run "$seconds" "$command"
		t "upstream: $command: $wanted, as without the series" \
			same "$wanted" "$result"
		;;
	esac
done 4</tmp/list
show_twice
[ "$how" = record ] || plan
