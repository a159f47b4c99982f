#!/bin/sh
# SPDX-License-Identifier: MIT
# The time in which the host's QEMU starts and ends, with a VM whose guest does not
# run.  It runs below offmap run, and without, by turns.  A line of JSON for each,
# like those of bench, with the number of calls that the supervisor served:
#
#   {"work":"start","kind":"protected","round":1,"pages":1,"ns":...,"calls":...}
#
# Arguments: where vmm/ is built, on the host; how many rounds.  lab/boot -r.
# Exit: 0; 2 when QEMU does not start.
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=none
ROUNDS=${2:-3}
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

# that of busybox knows no nanoseconds
now() { on_host /bin/date +%s%N; }

calls() { sed -n 's/.* has made \([0-9]*\) calls .*/\1/p' /tmp/said; }

# one KIND ROUND
one() {
	runner=on_host
	[ "$1" = plain ] || runner="offmap run --verbose --"
	begin=$(now)
	# shellcheck disable=SC2086
	echo quit | $runner $QEMU $MACHINE -M q35,smm=off -smp 1 -m 192 -S -monitor stdio >/tmp/said 2>&1 || {
		cat /tmp/said
		exit 2
	}
	end=$(now)
	made=0
	if [ "$1" != plain ]; then
		# the supervisor ends a moment after the VMM
		until made=$(calls) && [ -n "$made" ]; do
			usleep 10000
		done
	fi
	echo "{\"work\":\"start\",\"kind\":\"$1\",\"round\":$2,\"pages\":1,\"ns\":$((end - begin)),\"calls\":$made}" >&3
}

host_ready || exit 2
# what is read from the host for the first time
one plain 0 3>/dev/null
one protected 0 3>/dev/null
for round in $(seq "$ROUNDS"); do
	one plain "$round"
	one protected "$round"
done
