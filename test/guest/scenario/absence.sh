#!/bin/sh
# SPDX-License-Identifier: MIT
# Memory out of the direct map is absent, in three ways that do not depend on each other.
# No scan of RAM finds its contents.  The page tables have no entry for it.  No CPU can
# read it through a stale entry of its TLB.  Next to each stands
# its control: the same look at memory that is in the direct map.
#
# Arguments: "cpus" for the last way alone; else words of the kernel command line that have
# to have been understood.
# shellcheck source=/dev/null
. /tap.sh

knows() {
	dmesg | grep -qi "command line: .*$1" &&
		! dmesg | grep "Unknown kernel command line parameters" | grep -F "$1"
}

says_once() {
	dmesg | grep -F "$1"
	[ "$(dmesg | grep -cF "$1")" = 1 ]
}

# sysctl.vm.x=1
is_set() {
	file=$(echo "${1#sysctl.}" | sed 's/=.*//; s,\.,/,g')
	[ "$(cat "/proc/sys/$file")" = "${1#*=}" ]
}

# KVM on arm64 takes no memslots of files that cannot be mapped, nor has kvm-clock
case $(uname -m) in
x86_64) ON_X86=t ;;
*) ON_X86=: ;;
esac

no_cpu_reads() {
	t "dm_watch loads" insmod /modules/dm_watch.ko
	t "dm_watch: every CPU can read plain guest_memfd" dm_watch_test plain
	$ON_X86 "dm_watch: every CPU can read private plain guest_memfd" dm_watch_test private_plain
	t "dm_watch: no CPU can read mappable guest_memfd" dm_watch_test gmem_mmap
	$ON_X86 "dm_watch: no CPU can read private guest_memfd" dm_watch_test gmem_private
	t "dm_watch: no CPU can read memfd_secret" dm_watch_test secretmem
	t "dm_watch unloads" rmmod dm_watch
}

if [ "${1:-}" = cpus ]; then
	no_cpu_reads
	plan
	exit
fi

for word; do
	t "kernel knows $word" knows "$word"
	case $word in
	debug_pagealloc=on)
		t "kernel says once that it keeps no blocks out of the map" \
			says_once 'nodirmap: off: debug_pagealloc' ;;
	sysctl.*) t "kernel has set $word" is_set "$word" ;;
	esac
done

# scans of RAM take their time; tap.sh reads this
# shellcheck disable=SC2034
T=120
t "kcore_scan finds what is planted, and nothing else" kcore_scan --self-check
t "kcore: mappable guest_memfd is absent, plain is found" absence kcore gmem_mmap plain
$ON_X86 "kcore: private guest_memfd is absent, plain is found" absence kcore gmem_private private_plain
t "kcore: memfd_secret is absent, memfd is found" absence kcore secretmem memfd

t "ptdump: mappable guest_memfd is absent, and back when freed" absence ptdump gmem_mmap plain
t "ptdump: memfd_secret is absent, and back when freed" absence ptdump secretmem memfd

# parameters of the kernel make no difference to folios
if [ $# = 0 ]; then
	t "kcore: guest_memfd with folios of 2 MiB is absent, plain is found" \
		absence kcore gmem_huge plain_huge
	t "ptdump: guest_memfd with folios of 2 MiB is absent, and back when freed" \
		absence ptdump gmem_huge plain_huge
fi

# if free pages are cleared or poisoned the control cannot be found
[ $# -gt 0 ] || t "kcore: nothing stays behind where guest_memfd is copied, of plain it does" \
	leftovers

$ON_X86 "kvm-clock: runs in mappable guest_memfd, which stays absent" \
	absence clock gmem_mmap plain

$ON_X86 "the kernel's image has no other address for what is not the kernel's" image_alias

no_cpu_reads
plan
