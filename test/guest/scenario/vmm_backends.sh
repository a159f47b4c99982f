#!/bin/sh
# SPDX-License-Identifier: MIT
# Kinds of memory that QEMU can give its guest: huge pages, allocated beforehand, of one
# node.  All of it is out of the direct map, and the guest checks its contents.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=$2
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

MIB=128
PAGES=$((MIB * 256))

# Of the lab's 2 GiB, as huge pages of 2 MiB.
huge_pages() {
	mkdir $ROOT/run/huge && mount -t hugetlbfs huge $ROOT/run/huge &&
		echo $((MIB / 2)) >/proc/sys/vm/nr_hugepages &&
		[ "$(meminfo Hugepagesize)" = 2048 ] && huge_pages_free
}

# Those of the VMM go back when its memory has moved.
huge_pages_free() {
	free=$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)
	echo "$free huge pages are free"
	[ "$free" = $((MIB / 2)) ]
}

# started OBJECT: QEMU with this object as memory
started() {
	# shellcheck disable=SC2086
	boots quiet offmap run --verbose -- $QEMU -m $MIB -smp 1 -no-reboot \
		-M q35,memory-backend=ram -object "$1,id=ram,size=${MIB}M,prealloc=on"
}

# no_policy_but POLICY: of the guest's memory; the VMM's task shares it
no_policy_but() {
	for pid in $(pidof qemu-system-x86_64); do
		grep kvm-gmem "/proc/$pid/numa_maps"
	done >/tmp/policies
	cat /tmp/policies
	[ -s /tmp/policies ] && ! grep -v " $1 " /tmp/policies
}

is_allocated() {
	present=$(audited present)
	echo "$present pages are allocated, of $PAGES"
	[ "$present" -ge $((PAGES - 256)) ]
}

keeps_contents() {
	ask 'dd if=/dev/urandom of=/tmp/file bs=1M count=40 && md5sum /tmp/file >/tmp/sum' &&
		ask 'echo 3 >/proc/sys/vm/drop_caches && md5sum -c /tmp/sum'
}

t "backends: the host's root is a place for a VMM" prepare
t "backends: there are huge pages" huge_pages
START=$(holes)

# try NAME OBJECT
try() {
	t "$1: boots to a prompt" started "$2"
	t "$1: all is allocated" is_allocated
	t "$1: the guest keeps its contents" keeps_contents
	t "$1: the kernel can reach nothing of it" absent
	t "$1: the VMM's huge pages are free again" huge_pages_free
}

try "hugetlb memfd of a node" memory-backend-memfd,share=off,hugetlb=on,policy=bind,host-nodes=0
t "hugetlb memfd of a node: the policy is kept" no_policy_but bind:0
t "hugetlb memfd of a node: the VMM is killed" stop
t "hugetlb memfd of a node: no page stays out of the direct map" holes_are "$START"
try "file of hugetlbfs" memory-backend-file,share=off,mem-path=/run/huge
t "file of hugetlbfs: the VMM is killed" stop
t "file of hugetlbfs: no page stays out of the direct map" holes_are "$START"
plan
