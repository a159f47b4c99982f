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

how=$1
part=$2
tab=$(printf '\t')

word() {
	case $1 in
	0) echo pass ;;
	4) echo skip ;;
	137) echo timeout ;;
	*) echo fail ;;
	esac
}

# Sets $result.
run() {
	echo "# $2"
	tap_limited "$1" sh -c "cd /$part && exec ./$2" >/tmp/out 2>&1 3>&- </dev/null
	result=$(word $?)
	[ "$result" != timeout ] || cat /tmp/tap.threads >>/tmp/out
	tail -n 20 /tmp/out
	echo "# $result: $2"
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
	run "$seconds" "$command"
	# upstream's tests, too, fail at times; what the series breaks fails twice; one
	# that hangs is not asked again
	case $how/$result in
	record/* | */"$wanted" | */timeout) ;;
	*)
		echo "# run twice: $command: $result, not $wanted" >&3
		run "$seconds" "$command"
		;;
	esac
	case $how in
	record) echo "$part$tab$seconds$tab$result$tab$command" >&3 ;;
	compare) t "upstream: $command: $wanted, as without the series" \
		same "$wanted" "$result" ;;
	esac
done 4</tmp/list
[ "$how" = record ] || plan
