#!/bin/bash
# SPDX-License-Identifier: MIT
# The OOM killer kills a VMM.  No data of its guest is left in RAM, as seen from
# outside the machine.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

MIB=1024
RESULT=$OUT/logs/oom_kill/result
WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

half() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# seen NAME WORD NUMBER: once the guest says the word, count both secrets in RAM
# and let the guest go on.
seen() {
	until grep -q "^# $2" "$RESULT" 2>/dev/null; do sleep 1; done
	"$TOP/test/monitor" "$WORK/monitor" pmemsave val=0 size=$((MIB << 20)) "filename=$WORK/ram"
	"$TOP/test/count_in" "$WORK/ram" "$A" "$B" >"$WORK/$1.victim"
	"$TOP/test/count_in" "$WORK/ram" "$C" "$D" >"$WORK/$1.control"
	rm "$WORK/ram"
	printf %s "$3" | dd of="$WORK/disk" conv=notrunc status=none
}

look() {
	seen alive planted 1
	seen dead killed 2
}

found() { cat "$WORK/$1" 2>/dev/null || echo nothing; }
some() { [[ $(found "$1") =~ ^[1-9] ]]; }

A=$(half) B=$(half) C=$(half) D=$(half)
truncate -s 1M "$WORK/disk"
rm -f "$RESULT"
look &
watcher=$!
boot_tap oom_kill -m ${MIB}M -t 600 -q "-chardev socket,id=monitor,path=$WORK/monitor,server=on,wait=off \
-mon chardev=monitor,mode=control -drive file=$WORK/disk,format=raw,if=virtio" \
	-- /scenario/oom_kill.sh "$A" "$B" "$C" "$D"
kill $watcher 2>/dev/null || :
wait $watcher || :
ok "outside: the secret is in RAM while its VM lives, $(found alive.victim) times" some alive.victim
ok "outside: so is that of the other VM" some alive.control
is "outside: it is nowhere in RAM when its VM was killed" "$(found dead.victim)" 0
ok "outside: that of the other VM still is" some dead.control
