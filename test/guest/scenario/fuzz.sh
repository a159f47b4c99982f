#!/bin/sh
# SPDX-License-Identifier: MIT
# Random system calls against a model.  The fuzzer is lied to first, to see that
# it can find what it looks for.
#
# Arguments: seconds, and the seed to begin with.
# shellcheck source=/dev/null
. /tap.sh

finds() {
	fuzz -j 1 -n 100 -l "$1"
	[ $? = 1 ]
}

for lie in flag write punch; do
	t "fuzz: notices a lie about $lie" finds $lie
done
echo 1 >/proc/sys/vm/drop_caches
# shellcheck disable=SC2034 # T is for tap.sh
T=$(($1 + 200))
t "fuzz: $1 s from seed $2" fuzz -t "$1" -s "$2" -j "$(nproc)"
# what was found and how much was done belong to the result
sed -n 's/^/# /p' /tmp/tap.out >&3
plan
