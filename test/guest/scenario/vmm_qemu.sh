#!/bin/sh
# SPDX-License-Identifier: MIT
# A QEMU that is newer than the host's boots Linux on protected memory, in a root of its
# own.  The guest uses disk and balloon.
#
# Arguments: where vmm/ is built, the kernel to boot, and what lab/qemu has unpacked, all
# on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=/run/kernel
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh
QEMU="/usr/sbin/chroot $3 /usr/bin/qemu-system-x86_64"

# root_ready KERNEL ROOT
root_ready() {
	cp "$ROOT$1" $ROOT$KERNEL && truncate -s 16M $ROOT/run/disk &&
		mke2fs -F $ROOT/run/disk >/dev/null || return 1
	for dir in dev proc run; do
		mount -o bind $ROOT/$dir "$ROOT$2/$dir" || return 1
	done
}

# shellcheck disable=SC2086
is_newer() {
	on_host $QEMU --version
	version=$(on_host $QEMU --version | sed -n 's/^QEMU emulator version \([0-9]*\)\..*/\1/p')
	[ "$version" -ge 11 ]
}

t "qemu: the host's root is a place for a VMM" prepare
t "qemu: so is the root of a newer QEMU" root_ready "$2" "$3"
t "qemu: its version is 11 at least" is_newer
START=$(holes)
# shellcheck disable=SC2086
t "qemu: q35, 2 vCPUs: boots to a prompt" boots quiet offmap run --verbose -- $QEMU \
	-M q35 -smp 2 -m 192 -no-reboot -drive file=/run/disk,format=raw,if=virtio \
	-device virtio-balloon-pci
t "qemu: the kernel can reach nothing of the guest" absent
t "qemu: there are holes in the direct map" test "$(holes)" -gt "$START"
t "qemu: virtio-blk" writes_disk
t "qemu: virtio-blk has what was written" reads_disk
t "qemu: the balloon gives memory back" balloon_gives_back 128 192
t "qemu: the kernel can still reach nothing of the guest" absent
t "qemu: the VMM is killed" stop
# shellcheck disable=SC2086
t "qemu: microvm: boots to a prompt" boots quiet offmap run --verbose -- $QEMU \
	-M microvm,rtc=on -smp 1 -m 192 -no-reboot
t "qemu: microvm: the kernel can reach nothing of the guest" absent
t "qemu: microvm: the VMM is killed" stop
t "qemu: no page stays out of the direct map" holes_are "$START"
plan
