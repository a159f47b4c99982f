#!/bin/sh
# SPDX-License-Identifier: MIT
# VMs with memory out of the direct map come and go while everything else moves memory:
# memory hogs, fork storms, compaction, dropped caches.  CPUs and ranges of RAM go and
# come.  Failures are injected where blocks leave the map, and in each allocation for such
# a VM.
# Afterwards all of the memory is there, and in the map.
#
# Arguments: seconds.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

SECONDS_LEFT=$1
DEBUG=/sys/kernel/debug
INJECT=1000000
MEMORY=/sys/devices/system/memory
CPUS=$(nproc)

over() { [ "$(cut -d. -f1 /proc/uptime)" -ge "$END" ]; }

# churn KIND MIB: VMs one after the other, their number in /tmp/vms.*
churn() {
	pressure churn "$1" "$2" "$LASTS" unlucky >"/tmp/churn.$1.$2" 2>&1 ||
		echo "churn $1 $2: $(cat "/tmp/churn.$1.$2")" >>/tmp/wrong
}

hogs() {
	until over; do
		pressure hog 30 >/tmp/hog 2>&1 || echo "hog: $(cat /tmp/hog)" >>/tmp/wrong
	done
}

forks() {
	until over; do
		for _ in 1 2 3 4 5 6 7 8; do
			sh -c : &
		done
		wait
	done
}

caches() {
	until over; do
		echo 1 >/proc/sys/vm/compact_memory
		sleep 1
		echo 3 >/proc/sys/vm/drop_caches
		sleep 1
	done
}

cpus() {
	until over; do
		cpu=$((cpu % (CPUS - 1) + 1))
		echo 0 >/sys/devices/system/cpu/cpu$cpu/online
		sleep 1
		echo 1 >/sys/devices/system/cpu/cpu$cpu/online
	done
}

# What cannot be moved is tried for ever: a signal ends that.
ranges() {
	until over; do
		for block in "$MEMORY"/memory*; do
			! over || break
			if timeout 5 sh -c "echo offline >$block/state" 2>/dev/null; then
				echo "${block##*/}" >>/tmp/offline
				sleep 1
				echo online >"$block/state" ||
					echo "${block##*/} does not come back" >>/tmp/wrong
			fi
		done
	done
}

# faults WHAT PERCENT INTERVAL: a part of each INTERVAL-th call from now on
faults() {
	echo "$3" >"$DEBUG/$1/interval"
	echo 0 >"$DEBUG/$1/verbose"
	echo $INJECT >"$DEBUG/$1/times"
	echo "$2" >"$DEBUG/$1/probability"
}

# One in two hundred allocations: more than a hundred are needed for a VM.
inject() {
	echo nodirmap_zap_block >$DEBUG/fail_function/inject
	echo 0xfffffffffffffff4 >$DEBUG/fail_function/nodirmap_zap_block/retval
	faults fail_function 20 0
	echo N >$DEBUG/fail_page_alloc/ignore-gfp-highmem
	echo 0 >$DEBUG/fail_page_alloc/min-order
	for what in failslab fail_page_alloc; do
		echo N >$DEBUG/$what/ignore-gfp-wait
		echo Y >$DEBUG/$what/task-filter
		faults $what 5 10
	done
}

# no_more WHAT: prints how many there were
no_more() {
	echo 0 >"$DEBUG/$1/probability"
	echo $((INJECT - $(cat "$DEBUG/$1/times")))
}

all_at_once() {
	LASTS=$1
	END=$(($(cut -d. -f1 /proc/uptime) + LASTS))
	rm -f /tmp/wrong
	churn gmem_mmap 96 &
	churn gmem_mmap 48 &
	churn secretmem 4 &
	churn plain 64 &
	hogs &
	forks &
	caches &
	cpus &
	ranges &
	wait
	[ ! -e /tmp/wrong ] || {
		cat /tmp/wrong
		return 1
	}
}

# The pages that are mapped, and those that are free, when caches are dropped.
settle() {
	sleep 2
	echo 3 >/proc/sys/vm/drop_caches
	# or KASAN keeps what was freed
	for cache in /sys/kernel/slab/*/shrink; do
		echo 1 >"$cache"
	done
	mapped=$(boundaries mapped)
	free=$(vmstat nr_free_pages)
}

is_whole() {
	before_mapped=$mapped before_free=$free
	settle
	echo $((before_mapped - mapped)) >/tmp/lost
	echo "mapped pages: $before_mapped before, $mapped after; free: $before_free before, $free after; $(vmstat nr_nodirmap) in blocks out of the map"
	[ "$mapped" = "$before_mapped" ] && [ "$(vmstat nr_nodirmap)" = 0 ] &&
		[ $((before_free - free)) -lt $((before_free / 100)) ]
}

# all WHAT: the sum of what each churn says of it
all() { cat /tmp/churn.* | sed -n "s/^\([0-9]*\) $1\$/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }

# churn.KIND.MIB
mebibytes() {
	for file in /tmp/churn.*; do
		echo "${file##*.} $(sed -n 's/ VMs$//p' "$file")"
	done | awk '{ n += $1 * $2 } END { print n + 0 }'
}

counts() {
	echo "$(all VMs) VMs, $(mebibytes) MiB populated, $(($(vmstat nodirmap_block_zap) - zapped)) blocks out of the map, $(($(vmstat nodirmap_block_return) - returned)) back, $(($(vmstat nodirmap_slow_page) - slow)) single pages, $zaps failures of a block, $slabs of an object, $pages of a page, $(all 'more had no memory') VMs less for these, $(wc -l </tmp/offline) ranges offline, $(cat /tmp/lost) pages lost"
}

# tap.sh reads this
# shellcheck disable=SC2034
T=$((SECONDS_LEFT * 3 + 300))
: >/tmp/offline
# caches and tables that grow once do so before anything is counted
t "soak: warm" all_at_once 5
settle
: >/tmp/offline
zapped=$(vmstat nodirmap_block_zap) returned=$(vmstat nodirmap_block_return)
slow=$(vmstat nodirmap_slow_page)
inject
t "soak: $SECONDS_LEFT s of all at once" all_at_once "$SECONDS_LEFT"
zaps=$(no_more fail_function) slabs=$(no_more failslab) pages=$(no_more fail_page_alloc)
echo >$DEBUG/fail_function/inject
t "soak: blocks, objects and pages failed meanwhile" \
	[ "$(printf "%s\n" "$zaps" "$slabs" "$pages" | sort -n | head -n 1)" -gt 0 ]
t "soak: every page is free, and in the map" is_whole
t "soak: no OOM kill" [ "$(vmstat oom_kill)" = 0 ]
t "soak: there was something to convert" [ "$(vmstat nodirmap_block_zap)" -gt "$zapped" ]
[ "$TAP_FAILED" != 0 ] || echo "# $(counts)" >&3
plan
