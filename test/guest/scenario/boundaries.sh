#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory out of the direct map during hotplug, contiguous allocations, suspend and dropped
# caches, while CPUs go, and under limits and on nodes.
# The machine has two nodes and four CPUs.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

GIGANTIC=/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages
CGROUP=/tmp/cgroup
BALLOON=/sys/bus/virtio/drivers/virtio_balloon
TRACING=/sys/kernel/tracing

whole() {
	echo 1 >/proc/sys/vm/drop_caches
	echo "$(boundaries mapped) pages are mapped, $MAPPED were; $(vmstat nr_nodirmap) in blocks are not"
	[ "$(boundaries mapped)" = "$MAPPED" ] && [ "$(vmstat nr_nodirmap)" = 0 ]
}

count_gigantic() {
	echo 8 >$GIGANTIC
	cat $GIGANTIC
	echo 0 >$GIGANTIC
}

# Ranges of 1 GiB, of which much was out of the map a moment ago: as many as when
# all is back.
gigantic() {
	pressure churn "$1" 1500 1 || return 1
	echo "$(vmstat nr_free_nodirmap_blocks) pages are free in blocks out of the map"
	got=$(count_gigantic)
	echo 1 >/proc/sys/vm/drop_caches
	wanted=$(count_gigantic)
	echo "gigantic pages: $got, $wanted when all is in the map"
	[ "$wanted" -ge 1 ] && [ "$got" -ge "$wanted" ]
}

huge() {
	pressure churn "$1" 600 1 || return 1
	echo "$(vmstat nr_free_nodirmap_blocks) pages are free in blocks out of the map"
	wanted=$(($(meminfo MemFree) * 8 / 10 / 2048))
	echo $wanted >/proc/sys/vm/nr_hugepages
	got=$(cat /proc/sys/vm/nr_hugepages)
	echo 0 >/proc/sys/vm/nr_hugepages
	echo "huge pages: $got of $wanted"
	[ "$got" = "$wanted" ]
}

come_and_go() {
	while :; do
		for cpu in 1 2 3; do
			echo 0 >/sys/devices/system/cpu/cpu$cpu/online
			echo 1 >/sys/devices/system/cpu/cpu$((4 - cpu))/online
		done
	done
}

cpus_come_and_go() {
	come_and_go &
	loop=$!
	pressure churn "$1" 64 "$2"
	status=$?
	kill $loop
	wait $loop
	for cpu in 1 2 3; do
		echo 1 >/sys/devices/system/cpu/cpu$cpu/online
	done
	return $status
}

in_cgroup() {
	echo "$1" >$CGROUP/memory.max
	shift
	sh -c 'echo $$ >'$CGROUP'/cgroup.procs && exec "$@"' sh "$@"
}

# A process that wants more than its limit is killed, and no other.
limit_holds() {
	kills=$(sed -n 's/^oom_kill //p' $CGROUP/memory.events)
	in_cgroup 33554432 pressure churn "$1" 64 1
	status=$?
	kills=$(($(sed -n 's/^oom_kill //p' $CGROUP/memory.events) - kills))
	echo "exit status $status, $kills killed"
	[ "$status" = 137 ] && [ "$kills" -ge 1 ]
}

# Free blocks in the map are told to the hypervisor, on whose lists they are not for
# that time; those that are out of the map stay where they are.
reporting() {
	echo 'p:reports virtballoon_free_page_report' >$TRACING/kprobe_events
	echo 1 >$TRACING/events/kprobes/reports/enable
	# lists of CPUs hold what is free for a while
	boundaries around "$1" 64 -- sh -c "pressure churn $1 200 1 &&
		until grep 'nr_free_nodirmap_blocks [1-9]' /proc/vmstat; do sleep 1; done &&
		echo $DEVICE >$BALLOON/bind &&
		until grep 'reports  *[1-9]' $TRACING/kprobe_profile; do sleep 1; done &&
		grep 'nr_free_nodirmap_blocks [1-9]' /proc/vmstat"
	status=$?
	echo 0 >$TRACING/events/kprobes/reports/enable
	echo >$TRACING/kprobe_events
	return $status
}

# what it holds for a moment is missing in a range of 1 GiB
DEVICE=$(basename $BALLOON/virtio*)
echo "$DEVICE" >$BALLOON/unbind
echo 1 >/proc/sys/vm/drop_caches
MAPPED=$(boundaries mapped)
# tap.sh reads this
# shellcheck disable=SC2034
T=600
# the kernel's own share of a fresh machine leaves room
# where a VM's memory is differs from time to time
for nth in first second third; do
	t "contig: ranges of 1 GiB after the $nth VM out of the map" gigantic gmem_mmap
done
t "hugetlb: most of the memory after a VM out of the map" huge gmem_mmap
# on the node that is the kernel's own the least
t "hotplug: a range goes offline when it is not used, out of the map or not" \
	taskset 0xc boundaries offline gmem_mmap
t "contig: 1 GiB beside a VM out of the map" \
	boundaries around gmem_mmap 64 -- sh -c "echo 1 >$GIGANTIC; echo 0 >$GIGANTIC"
t "compaction and dropped caches leave it alone" boundaries around gmem_mmap 64 -- \
	sh -c 'echo 1 >/proc/sys/vm/compact_memory; echo 3 >/proc/sys/vm/drop_caches'
t "CPUs come and go while VMs do" cpus_come_and_go gmem_mmap 10
t "CPUs that come and go leave it alone" boundaries around gmem_mmap 64 -- \
	sh -c "cd /sys/devices/system/cpu && echo 0 | tee cpu[123]/online && grep -x 0 online &&
		echo 1 | tee cpu[123]/online && grep -x 0-3 online"
t "nothing stays out of the map" whole
for node in 0 1; do
	t "NUMA: bound to node $node, out of the map" boundaries bind gmem_mmap $node
	t "NUMA: bound to node $node, in the map" boundaries bind plain $node
done
mkdir $CGROUP && mount -t cgroup2 cgroup $CGROUP && echo +memory >$CGROUP/cgroup.subtree_control
CGROUP=$CGROUP/test
mkdir $CGROUP
for kind in plain gmem_mmap; do
	t "memcg: $kind is charged" in_cgroup max boundaries charge $kind 64 $CGROUP
	t "memcg: the limit holds for $kind" limit_holds $kind
done
t "memcg: what a mapping keeps is charged" in_cgroup max boundaries holes gmem_mmap 64 $CGROUP
t "memcg: blocks that are not in use go before a task does" \
	in_cgroup 67108864 boundaries spares gmem_mmap 48
t "memcg: they go as well when the limit is lowered" \
	in_cgroup max boundaries lower gmem_mmap $CGROUP
t "RLIMIT_MEMLOCK is for memfd_secret only" boundaries memlock
t "suspend: as far as the last CPU" boundaries around gmem_mmap 64 -- \
	sh -c "echo core >/sys/power/pm_test && echo mem >/sys/power/state"
t "free page reporting leaves it alone" reporting gmem_mmap
t "nothing stays out of the map" whole
plan
