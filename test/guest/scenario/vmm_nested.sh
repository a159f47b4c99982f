#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest of an unmodified VMM is a hypervisor itself: Linux with KVM, on memory that this
# kernel cannot reach, has guests on memory that the guest's kernel cannot reach.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host; "short" for a
# slow machine: one vCPU, one guest of the guest, and no folios of 2 MiB.
# Selftests: kvm
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=$2
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

# programs for the guest, which have a guest each
WITH_GUEST='guest_memfd_no_direct_map_guest_test guest_memfd_write_test x86/state_test'
CPUS=2
[ "${3:-}" != short ] || WITH_GUEST=${WITH_GUEST%% *} CPUS=1

prepare_hypervisor() {
	prepare || return 1
	for program in $WITH_GUEST; do
		cp "/kvm/$program" /tmp/g/bin/ || return 1
	done
	(cd /tmp/g && find . | cpio -o -H newc) >$ROOT/run/guest.cpio
}

t "nested: the host's root is a place for a VMM" prepare_hypervisor
START=$(holes)
MACHINE_NESTED="$QEMU -M q35 -smp $CPUS -m 384 -no-reboot"

# has_guest PROGRAM
has_guest() { ask "cd /bin && ./${1#x86/}"; }

# leaves_nothing NAME: of the VM that runs, and of its guests; then it ends.
leaves_nothing() {
	t "$1: this kernel can reach nothing of both" absent
	t "$1: the guest's kernel has nothing to report" ask '! dmesg | grep "WARNING:\|BUG:\|Oops"'
	t "$1: the VMM is killed" stop
	t "$1: no page stays out of the direct map" holes_are "$START"
}

# shellcheck disable=SC2086
t "q35: boots to a prompt" boots quiet offmap run -- $MACHINE_NESTED
t "q35: the guest has KVM" ask 'test -c /dev/kvm'
for program in $WITH_GUEST; do
	t "q35: the guest has a guest: ${program#x86/}" has_guest "$program"
done
leaves_nothing q35

if [ "${3:-}" = short ]; then
	plan
	exit
fi
# The guest's guest has pages of 4 KiB, by the guest's tables, in a folio of 2 MiB.
# shellcheck disable=SC2086
t "huge: boots to a prompt" boots quiet offmap run --huge -- $MACHINE_NESTED
program=${WITH_GUEST%% *}
t "huge: the guest has a guest: $program" has_guest "$program"
leaves_nothing huge
plan
