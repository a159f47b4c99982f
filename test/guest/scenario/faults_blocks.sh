#!/bin/sh
# SPDX-License-Identifier: MIT
# When no block of pages can be taken out of the direct map, single pages are.
# shellcheck source=/dev/null
. /tap.sh

FAIL=/sys/kernel/debug/fail_function

vmstat() { sed -n "s/^$1 //p" /proc/vmstat; }

fail_always() {
	echo "$1" >$FAIL/inject || return 2
	echo 0xfffffffffffffff4 >"$FAIL/$1/retval"
	echo 100 >$FAIL/probability
	echo 0 >$FAIL/interval
	echo 0 >$FAIL/verbose
	echo -1 >$FAIL/times
}

without_blocks() {
	zapped=$(vmstat unmapped_block_zap) slow=$(vmstat unmapped_slow_page)
	"$@" || return
	echo "blocks: $(($(vmstat unmapped_block_zap) - zapped)), pages: $(($(vmstat unmapped_slow_page) - slow))"
	[ "$(vmstat unmapped_block_zap)" = "$zapped" ] &&
		[ "$(vmstat unmapped_slow_page)" -gt "$slow" ]
}

# what the boot has taken out is to be used up, or gone
echo 1 >/proc/sys/vm/drop_caches
t "blocks cannot be zapped from now on" fail_always unmapped_zap_block
for kind in gmem_mmap secretmem; do
	t "then pages of $kind are, and are back when freed" \
		without_blocks absence ptdump $kind plain
done
t "none of the blocks is lost" [ "$(vmstat nr_out_of_map)" = 0 ]
echo >$FAIL/inject
t "blocks are zapped again" absence ptdump gmem_mmap plain
t "none stays out of the map" [ "$(vmstat nr_out_of_map)" = 0 ]
plan
