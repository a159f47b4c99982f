#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory out of the direct map does not prevent other allocations.  Fragmentation does
# not prevent memory out of the direct map.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

no_oom() { [ "$(vmstat oom_kill)" = 0 ]; }

# shellcheck disable=SC2034 # T is for tap.sh
T=600
t "most of the memory is used out of the map, and given back" \
	pressure churn gmem_mmap "$(($(meminfo MemAvailable) * 8 / 10 / 1024))" 1
t "then 90 % of it can be had as ordinary memory" pressure hog 90
t "without the OOM killer" no_oom
# who asks has to compact: nobody does so before, nor has given up on
# blocks of pages that stay where they are
echo 0 >/proc/sys/vm/compaction_proactiveness
t "movable pages make room for blocks out of the map" pressure compact gmem_mmap
t "fragmented memory can be had as plain guest_memfd" pressure fragment plain
t "fragmented memory can be had out of the map" pressure fragment gmem_mmap
t "without the OOM killer" no_oom
plan
