#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory policies decide the node of memory out of the direct map.  A range of RAM that
# has some does not go offline, also where each page leaves the map on its own.
# The machine has two nodes, each with two of its CPUs.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

BLOCKS_OFF=$(dmesg | sed -n 's/.*nodirmap: off: /no blocks: /p')

# tap.sh reads this
# shellcheck disable=SC2034
T=900

# out NODE: its pages in blocks out of the map
out() { vmstat nr_nodirmap "/sys/devices/system/node/node$1/vmstat"; }

few_are_out() { [ "$(out "$1")" -le 4096 ]; }

# comes_back NODE MASK, that of its CPUs: the reserve of 8 blocks stays at most
comes_back() {
	[ -z "$BLOCKS_OFF" ] || {
		echo "$BLOCKS_OFF"
		return 4
	}
	zapped=$(vmstat nodirmap_block_zap)
	taskset "$2" bench 64 1 gmem_mmap >/tmp/bench || return 1
	echo "$(($(vmstat nodirmap_block_zap) - zapped)) blocks have left the map"
	within 60 few_are_out "$1"
	ret=$?
	echo "$(out "$1") pages of node $1 are out"
	return $ret
}

for kind in gmem_mmap secretmem plain; do
	t "NUMA: $kind is interleaved" boundaries interleave $kind
done
for node in 0 1; do
	others=3
	[ "$node" = 1 ] || others=c
	t "NUMA: out of the map, a task prefers node $node" \
		taskset $others boundaries prefer gmem_mmap $node
	t "NUMA: out of the map, bound to node $node" boundaries bind gmem_mmap $node
done
t "NUMA: blocks of node 0 come back by themselves" comes_back 0 3
t "NUMA: blocks of node 1 come back by themselves" comes_back 1 c
t "hotplug: a range that is used does not go offline" boundaries busy gmem_mmap
plan
