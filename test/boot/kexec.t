#!/bin/bash
# SPDX-License-Identifier: MIT
# Another kernel follows while a VM has its memory out of the map: by kexec, and
# after a crash.  What the crash dump has of the VM is looked at here.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

MIB=1024 ROOM=320M
# KASAN wants more
[ "${FLAVOUR:-}" != debug ] || MIB=3072 ROOM=1024M
KERNEL=/host$OUT/build/$ARCH-${FLAVOUR:-default}/${KERNEL_IMAGE:?}
# a dump is as large as RAM
WORK=$(mktemp -d --suffix=.tmp -p "$OUT" kexec.XXXXXX)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

half() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }
some() { [[ $1 =~ ^[1-9] ]]; }
victim() { "$TOP/test/count_in" "$1" "$A" "$B"; }
control() { "$TOP/test/count_in" "$1" "$C" "$D"; }

A=$(half) B=$(half) C=$(half) D=$(half)
boot_tap kexec -r -m ${MIB}M -t 300 -- /scenario/kexec.sh now "$KERNEL" "$A" "$B" "$C" "$D"

truncate -s $((MIB + 64))M "$WORK/vmcore"
boot_tap kdump -r -m ${MIB}M -t 600 -a crashkernel=$ROOM \
	-q "-drive file=$WORK/vmcore,format=raw,if=virtio" \
	-- /scenario/kexec.sh crash "$KERNEL" "$A" "$B" "$C" "$D"
ok "the dump has the memory of the VM in the map, $(control "$WORK/vmcore") times" \
	some "$(control "$WORK/vmcore")"
ok "it has that of the VM out of the map, as docs/security.md warns" \
	some "$(victim "$WORK/vmcore")"

# What reads dumps, makedumpfile and crash, follows that many lists of each order.  They are
# all of struct free_area, but for a counter; some lists have no type, and stay empty.
noted() { head -c 64K "$WORK/vmcore" | LC_ALL=C sed -nE "s/^$1=([0-9]+)\$/\1/p"; }
lists=$(noted 'LENGTH\(free_area\.free_list\)')
listed() { sed -nE 's/^.*lists of free pages: ([0-9]+).*/\1/p' "$OUT/logs/kdump/console.log" | head -n 1; }
ok "it says how many lists of free pages there are" \
	test "$(noted 'SIZE\(free_area\)')" -eq $((lists * 16 + 8))
ok "each type has one" test "$lists" -ge "$(listed)"

# level CLAIM LEVEL: a dump of that level is $WORK/dump
level() {
	if ! command -v makedumpfile >/dev/null; then
		skip "$1" "makedumpfile is missing: sudo make packages"
		return 1
	fi
	rm -f "$WORK/dump"
	makedumpfile -d "$2" "$WORK/vmcore" "$WORK/dump" >"$WORK/says" 2>&1 ||
		{
			tap_fail "$1" "$(cat "$WORK/says")"
			return 1
		}
}

for number in 2 31; do
	claim="makedumpfile -d $number leaves it out"
	! level "$claim" $number || is "$claim" "$(victim "$WORK/dump")" 0
done
claim="makedumpfile -d 8 does not"
! level "$claim" 8 || ok "$claim" some "$(victim "$WORK/dump")"
