#!/bin/sh
# SPDX-License-Identifier: MIT
# bench_conversions.sh    how many page blocks one ordinary allocation puts back into the
#                         direct map, at most, and how long one block takes
#
# A process touches 90 % of memory right after 80 % of it was out of the map.  The trace
# has its allocations, and each block that it or the kernel puts back.  Prints a line, see
# docs/bench.md.  Fails if the trace lost events, or has no allocation or no block.
set -eu

cd /sys/kernel/tracing
echo 24576 >buffer_size_kb
echo 'p:offmap/clear mermap_zero_block' >kprobe_events
for event in kmem/mm_page_alloc offmap/clear; do
	echo 'comm=="bench_room"' >events/$event/filter
done
for event in kmem/mm_page_alloc offmap/clear nodirmap/mm_nodirmap_block_return; do
	echo 1 >events/$event/enable
done
# bench_room-123 [001] ..... 12.345678: mm_page_alloc: ...
awk '/LOST/ { lost = 1 }
	function time() { return substr($4, 1, length($4) - 1) }
	/: mm_page_alloc: / { blocks = 0; allocations++ }
	/: clear: / { from = time() }
	/: mm_nodirmap_block_return: .*err=0/ { all++ }
	/^ *bench_room-.*: mm_nodirmap_block_return: .*err=0/ {
		took = time() - from
		if (took > longest) longest = took
		if (++blocks > most) most = blocks
	}
	/: end/ { exit }
	END {
		if (lost || !all || !allocations || (most && !from)) exit 1
		printf "{\"work\":\"conversions\",\"kind\":\"anonymous\",\"round\":0,\"pages\":%d,\"most\":%d,\"ns\":%s}\n",
			all, most, most ? sprintf("%d", longest * 1e9) : "null"
	}' <trace_pipe &
bench_room after 1 gmem_mmap >/dev/null
echo end >trace_marker
wait $!
