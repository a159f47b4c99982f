#!/bin/sh
# SPDX-License-Identifier: MIT
# An unmodified VMM of the host's distribution boots Linux with each of its machines
# and kinds of memory. offmap audit tells that this kernel cannot reach the memory.
# The control is the same VMM on ordinary memory.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
BUILT=$1
KERNEL=$2
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

CLOCK=/sys/devices/system/clocksource/clocksource0/current_clocksource
QBOOT=/usr/share/qemu/qboot.rom
SMALL="-m 128 -no-reboot"

files_ready() { truncate -s 128M "$ROOT/run/ram" && truncate -s 1M "$ROOT/run/disk"; }

refuses() {
	text=$1
	shift
	# shellcheck disable=SC2086
	gives 125 "$text" offmap run -- $QEMU $MACHINE $SMALL -kernel "$KERNEL" "$@"
}

# started MACHINE-OPTIONS...: to a prompt, under offmap run
started() {
	# shellcheck disable=SC2086
	boots quiet offmap run --verbose -- $QEMU $SMALL "$@"
}

# What audit counts in memory that is not a ROM, over all VMs.
json_says() {
	offmap audit --json >/tmp/json
	grep -q "\"verdict\": \"$1\"" /tmp/json &&
		grep -q '"page_tables": true' /tmp/json && grep -q '"kcore": true' /tmp/json
}

# On a machine without PCI.
uses_virtio_mmio() {
	ask 'echo written by the guest | dd of=/dev/vda && sync' &&
		head -c 20 "$ROOT/run/disk" | grep 'written by the guest' &&
		ask 'ifconfig eth0 10.0.2.15 up && ping -c 1 10.0.2.2'
}

t "vmm: the host's root is a place for a VMM" prepare
t "vmm: files for memory and disk" files_ready
START=$(holes)
t "offmap probe: this kernel can protect QEMU" gives 0 'protect   yes' offmap probe $QEMU
t "offmap audit: no VM yet" gives 4 'no process has a VM' offmap audit
t "liboffmap: the example works" gives 0 'got: f4' chroot $ROOT "$BUILT/examples/minimal"
t "offmap run: a shared memfd as memory is refused" refuses 'vhost-user' \
	-M q35,memory-backend=ram -object memory-backend-memfd,id=ram,size=128M
t "offmap run: a shared file as memory is refused" refuses 'shared mapping of /run/ram' \
	-M q35,memory-backend=ram \
	-object memory-backend-file,id=ram,size=128M,mem-path=/run/ram,share=on
t "and nothing of them stays out of the direct map" holes_are "$START"

t "q35, 1 vCPU, memory-backend-file: boots to a prompt" started \
	-M q35,memory-backend=ram -smp 1 \
	-object memory-backend-file,id=ram,size=128M,mem-path=/run/ram,share=off
t "q35: the guest runs on kvm-clock" is "cat $CLOCK" kvm-clock
t "q35: the kernel can reach nothing" absent
t "q35: so says JSON" json_says absent
t "q35: there are holes in the direct map" test "$(holes)" -gt "$START"
t "q35: the VMM is killed" stop
t "q35: no page stays out of the direct map" holes_are "$START"

# shellcheck disable=SC2086
t "q35, 4 vCPUs, memory-backend-memfd: Linux starts" runs "earlyprintk=serial" \
	offmap run -- $QEMU $SMALL -M q35,memory-backend=ram -smp 4 \
	-object memory-backend-memfd,id=ram,size=128M,share=off
t "q35, memfd: the kernel can reach nothing" absent
t "q35, memfd: the VMM is killed" stop

t "microvm, SeaBIOS, 1 vCPU: boots to a prompt" started \
	-M microvm,smm=off,rtc=on -smp 1 \
	-drive id=disk,file=/run/disk,format=raw,if=none -device virtio-blk-device,drive=disk \
	-netdev user,id=net -device virtio-net-device,netdev=net
t "microvm: the guest runs on kvm-clock" is "cat $CLOCK" kvm-clock
t "microvm: virtio-blk and virtio-net" uses_virtio_mmio
t "microvm: the kernel can reach nothing" absent
t "microvm: the VMM is killed" stop

if [ -e "$ROOT$QBOOT" ]; then
	t "microvm, qboot, 4 vCPUs: boots to a prompt" started \
		-M microvm,smm=off,rtc=on,acpi=off -bios $QBOOT -smp 4
	t "microvm, qboot: the guest has 4 processors" is nproc 4
	t "microvm, qboot: the kernel can reach nothing" absent
	t "microvm, qboot: the VMM is killed" stop
else
	skip "microvm, qboot, 4 vCPUs: boots to a prompt" "this QEMU has no $QBOOT"
fi

# shellcheck disable=SC2086
t "control: QEMU without offmap" runs "earlyprintk=serial" on_host $QEMU $SMALL -M q35 -smp 1
t "control: the kernel can reach it, through page tables and kcore" \
	gives 1 'direct map: page tables, kcore reads it' offmap audit
t "control: so says JSON" json_says reachable
stop
plan
