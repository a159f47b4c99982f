#!/bin/sh
# SPDX-License-Identifier: MIT
# An unmodified VMM of the host's distribution boots Linux by offmap run --huge.
# Guest and VMM have pages of 2 MiB, and this kernel can reach none of them.  Pages
# that a balloon gives up come back.
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

MIB=256

# Below offmap run QEMU is two processes, of which one has the VM.
vmm() { offmap audit --list; }

# Pages of 2 MiB that KVM has mapped into the guest.
in_guest() { cat "/sys/kernel/debug/kvm/$(vmm)"-*/pages_2m; }

# KiB of the VMM's mappings of files that are mapped so.
in_vmm() {
	awk '/^FilePmdMapped:/ { n += $2 } END { print n + 0 }' \
		"/proc/$(vmm)/smaps"
}

# at_least WANTED command...: it prints a number
at_least() {
	wanted=$1
	shift
	found=$("$@")
	echo "$*: $found, wanted $wanted at least"
	[ "$found" -ge "$wanted" ]
}

huge_pages() {
	echo $((MIB / 2)) >/proc/sys/vm/nr_hugepages && grep HugePages /proc/meminfo &&
		grep -q "^HugePages_Free: *$((MIB / 2))\$" /proc/meminfo
}

guest_has_none() { [ "$(in_guest)" = 0 ]; }
nothing_is_named() { ! grep 'small pages' /tmp/err; }

# machine --huge|--strict OPTIONS...: to a prompt
machine() {
	how=$1
	shift
	# shellcheck disable=SC2086
	boots quiet offmap run "$how" -- $QEMU -M q35 -smp 2 -m $MIB -no-reboot \
		-device virtio-balloon-pci "$@"
}

t "huge: the host's root is a place for a VMM" prepare
if ! offmap probe --json | grep -q '"huge": true'; then
	skip "huge: guest and VMM have pages of 2 MiB" "this kernel has none for guest_memfd"
	plan
	exit
fi
START=$(holes)
t "q35: boots to a prompt" machine --huge
t "q35: no block has small pages only" nothing_is_named
t "q35: the guest has pages of 2 MiB" at_least 10 in_guest
t "q35: the VMM has some" at_least 2048 in_vmm
t "q35: most of the memory is in pages of 2 MiB" at_least 8192 audited huge
t "q35: the kernel can reach nothing" absent
t "q35: a balloon gives memory back, page by page" balloon_gives_back 210 $MIB
t "q35: the kernel can still reach nothing" absent
t "q35: the VMM is killed" stop
t "q35: no page stays out of the direct map" holes_are "$START"

t "memfd, at any address: boots to a prompt" machine --huge \
	-machine memory-backend=ram -object memory-backend-memfd,id=ram,size=${MIB}M,share=off
t "memfd: the guest has pages of 2 MiB" at_least 10 in_guest
t "memfd: the kernel can reach nothing" absent
t "memfd: the VMM is killed" stop

t "hugetlb memfd: there are huge pages" huge_pages
t "hugetlb memfd: boots to a prompt" machine --huge \
	-machine memory-backend=ram -object memory-backend-memfd,id=ram,size=${MIB}M,share=off,hugetlb=on
t "hugetlb memfd: the guest has pages of 2 MiB" at_least 10 in_guest
t "hugetlb memfd: the kernel can reach nothing" absent
t "hugetlb memfd: the VMM is killed" stop
echo 0 >/proc/sys/vm/nr_hugepages

t "control: boots without --huge" machine --strict
t "control: the guest has small pages only" guest_has_none
t "control: so says audit" test "$(audited huge)" = 0
stop
plan
