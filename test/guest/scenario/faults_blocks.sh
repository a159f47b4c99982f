#!/bin/sh
# SPDX-License-Identifier: MIT
# When no block of pages can be taken out of the direct map, single pages are.  What
# there is to see of that agrees: counters, events, and lists of free pages.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

FAIL=/sys/kernel/debug/fail_function
TRACING=/sys/kernel/tracing
# of the machine's only zone
FREE='type +Nodirmap .* [1-9]' NONE='type +Nodirmap( +0)+ *$'

fail_always() {
	echo "$1" >$FAIL/inject || return 2
	echo 0xfffffffffffffff4 >"$FAIL/$1/retval"
	echo 100 >$FAIL/probability
	echo 0 >$FAIL/interval
	echo 0 >$FAIL/verbose
	echo -1 >$FAIL/times
}

without_blocks() {
	zapped=$(vmstat nodirmap_block_zap) slow=$(vmstat nodirmap_slow_page)
	"$@" || return
	echo "blocks: $(($(vmstat nodirmap_block_zap) - zapped)), pages: $(($(vmstat nodirmap_slow_page) - slow))"
	[ "$(vmstat nodirmap_block_zap)" = "$zapped" ] &&
		[ "$(vmstat nodirmap_slow_page)" -gt "$slow" ]
}

# traced COUNTER EVENT TEXT: it has been counted as often as there are events
traced() {
	count=$(($(vmstat "$1") - $(vmstat "$1" /tmp/vmstat)))
	lines=$(grep "$2: " $TRACING/trace | grep -c "$3")
	echo "$1: $count, $lines events"
	[ "$lines" = "$count" ] && [ "$lines" -gt 0 ]
}

# no block that the boot has taken out may be left free
echo 1 >/proc/sys/vm/drop_caches
cp /proc/vmstat /tmp/vmstat
echo 1 >$TRACING/events/nodirmap/enable
t "blocks cannot be zapped from now on" fail_always nodirmap_zap_block
for kind in gmem_mmap secretmem; do
	t "then pages of $kind are, and are back when freed" \
		without_blocks absence ptdump $kind plain
done
t "none of the blocks is lost" [ "$(vmstat nr_nodirmap)" = 0 ]
echo >$FAIL/inject
t "blocks are zapped again" absence ptdump gmem_mmap plain
t "none stays out of the map" [ "$(vmstat nr_nodirmap)" = 0 ]
echo 0 >$TRACING/events/nodirmap/enable
t "each block that leaves the map has its event" \
	traced nodirmap_block_zap mm_nodirmap_block_zap err=0
t "each that comes back" traced nodirmap_block_return mm_nodirmap_block_return err=0
t "each that cannot leave" traced nodirmap_zap_fail mm_nodirmap_block_zap err=-12
t "each page that leaves alone" traced nodirmap_slow_page mm_nodirmap_slow_page pfn=
t "pagetypeinfo: no page is free out of the map" grep -E "$NONE" /proc/pagetypeinfo
# what lists of CPUs have is in no row: that empties them
t "pagetypeinfo: the rest of blocks that are out is" absence hold gmem_mmap -- \
	sh -c "echo 1 >/proc/sys/vm/drop_caches; grep -E '$FREE' /proc/pagetypeinfo"
t "fault: no folio of 2 MiB" faults huge
plan
