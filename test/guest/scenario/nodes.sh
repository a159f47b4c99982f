#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory policies decide the node of memory out of the direct map.  A range of RAM that
# has some does not go offline, also where each page leaves the map on its own.
# The machine has two nodes, each with two of its CPUs.
# shellcheck source=/dev/null
. /tap.sh

# tap.sh reads this
# shellcheck disable=SC2034
T=900
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
t "hotplug: a range that is used does not go offline" boundaries busy gmem_mmap
plan
