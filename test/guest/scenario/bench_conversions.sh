#!/bin/sh
# SPDX-License-Identifier: MIT
# bench_conversions.sh    how many page blocks one ordinary allocation puts back into the
#                         direct map, at most, and how long one block takes
#
# A process touches 90 % of memory right after 80 % of it was out of the map.  The trace
# has each of its allocations, each block that it puts back, and the time that takes.
# Prints a line, see docs/bench.md.  Fails if the trace lost events or has no block.
set -eu

cd /sys/kernel/tracing
echo 8192 >buffer_size_kb
echo 'p:offmap/enter __nodirmap_return
r:offmap/leave __nodirmap_return' >kprobe_events
for event in kmem/mm_page_alloc nodirmap/mm_nodirmap_block_return offmap/enter offmap/leave; do
	echo 'comm=="bench_room"' >events/$event/filter
	echo 1 >events/$event/enable
done
# bench_room-123 [001] ..... 12.345678: mm_page_alloc: ...
awk '/LOST/ { lost = 1 }
	/: enter: / { from = time() }
	function time() { return substr($4, 1, length($4) - 1) }
	/: mm_page_alloc: / { blocks = 0 }
	/: mm_nodirmap_block_return: .*err=0/ { all++; if (++blocks > most) most = blocks }
	/: leave: / && blocks { took = time() - from; if (took > longest) longest = took }
	/: end/ { exit }
	END {
		if (lost || !all || !longest) exit 1
		printf "{\"work\":\"conversions\",\"kind\":\"anonymous\",\"round\":0,\"pages\":%d,\"most\":%d,\"ns\":%d}\n",
			all, most, longest * 1e9
	}' <trace_pipe &
bench_room after 1 gmem_mmap >/dev/null
echo end >trace_marker
wait $!
