#!/bin/sh
# SPDX-License-Identifier: MIT
# How long Linux takes to boot under the host's QEMU, on protected memory and on plain, by
# turns, in one boot of the lab.  The time is from the start of QEMU until the guest has a
# prompt.  A line of JSON for each, like those of bench:
#
#   {"work":"boot","kind":"protected","machine":"q35","round":1,"pages":1,"ns":...}
#
# Plain is twice there: "plain" as it is, with huge pages; "plain_4k" without, as
# "protected" is.  "huge" is protected memory with pages of 2 MiB, and left out where the
# kernel has none.  QEMU's own memory has huge pages there as well.  Under lab/boot -I ns are
# instructions, of the whole.
#
# Every other round is in reverse order.  A guest that starts after one of another kind can
# be faster or slower than after one of its own.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host; how
# many rounds; q35 or microvm; kinds, else all but "huge".  lab/boot -r.
# Exit: 0; 2 when a guest does not boot.
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=$2
ROUNDS=${3:-3}
TYPE=${4:-microvm}
shift $(($# < 4 ? $# : 4))
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

THP=/sys/kernel/mm/transparent_hugepage/enabled

now() { uptime_of "$(cat /proc/uptime)"; }

# one KIND ROUND
one() {
	runner=on_host pages=never
	case $1 in
	protected) runner="offmap run --" ;;
	huge) runner="offmap run --huge --" pages=always ;;
	plain) pages=always ;;
	esac
	echo $pages >$THP
	begin=$(now)
	# shellcheck disable=SC2086
	start quiet $runner $QEMU -M "$TYPE,smm=off" -smp 1 -m 192 -no-reboot 3>&-
	until grep -q '^booted' /tmp/out; do
		kill -0 "$(cat /tmp/pid)" 2>/dev/null || {
			cat /tmp/out /tmp/err
			exit 2
		}
		usleep 50000
	done
	end=$(now)
	stop
	echo "{\"work\":\"boot\",\"kind\":\"$1\",\"machine\":\"$TYPE\",\"round\":$2,\"pages\":1,\"ns\":$(((end - begin) * 10000000))}" >&3
}

prepare || exit 2
[ $# -gt 0 ] || set -- plain plain_4k protected
KINDS=$*
if ! offmap probe --json | grep -q '"huge": true'; then
	case " $KINDS " in
	*' huge '*) echo "vmm_boot: huge is left out: this kernel has no pages of 2 MiB for guest_memfd" ;;
	esac
	KINDS=$(echo " $KINDS " | sed 's/ huge / /')
fi
# what is read from the host for the first time
one plain warm-up 3>/dev/null
order=$KINDS
for round in $(seq "$ROUNDS"); do
	reverse=''
	for kind in $order; do
		one "$kind" "$round"
		reverse="$kind $reverse"
	done
	order=$reverse
done
