#!/bin/sh
# SPDX-License-Identifier: MIT
# A Linux guest on protected memory under QEMU uses kvm-clock, disk, network, balloon,
# snapshots and a reboot.  Then the VMM is killed in the middle of it, and nothing may be
# left.
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

CLOCK=/sys/devices/system/clocksource/clocksource0/current_clocksource

devices_ready() {
	truncate -s 16M "$ROOT/run/disk"
	mke2fs -F "$ROOT/run/disk" >/dev/null || return 1
	sha256sum "$ROOT/run/disk" >/tmp/disk.sum
	ifconfig lo 127.0.0.1 up && serves_file 127.0.0.1
}

host_time() { uptime_of "$(cat /proc/uptime)"; }
guest_time() { uptime_of "$(value 'cat /proc/uptime')"; }

# While the VM is stopped its clock is: the guest sees no more time go by than
# there was for it, and goes on.
keeps_time() {
	host1=$(host_time)
	guest1=$(guest_time)
	monitor stop && monitor 'info status' 'VM status: paused' || return 1
	stopped=$(host_time)
	sleep 10
	stopped=$(($(host_time) - stopped))
	monitor cont && monitor 'info status' 'VM status: running' || return 1
	guest2=$(guest_time)
	host2=$(host_time)
	ask 'sleep 2' || return 1
	guest3=$(guest_time)
	echo "guest: $((guest2 - guest1)), then $((guest3 - guest2))"
	echo "host: $((host2 - host1)), of these stopped: $stopped"
	# a second of grace: the two clocks are not read at once
	[ $((guest2 - guest1)) -ge 0 ] && [ $((guest3 - guest2)) -ge 200 ] &&
		[ $((guest2 - guest1)) -le $((host2 - host1 - stopped + 100)) ] &&
		is "cat $CLOCK" kvm-clock
}

# What was done after the snapshot has not happened.
snapshot_works() {
	ask 'echo before >/tmp/state' || return 1
	monitor 'savevm one' && monitor 'info snapshots' ' one ' || return 1
	ask 'echo after >/tmp/state' || return 1
	monitor 'loadvm one' && monitor 'info status' 'VM status: running' || return 1
	is 'cat /tmp/state' before && reads_disk
}

booted_twice() { [ "$(grep -c '^booted' /tmp/out)" = 2 ]; }

reboots() { type_in 'reboot -f' /tmp/in && within "$PATIENCE" booted_twice && ask true; }

killed_in_the_middle() {
	type_in 'while :; do dd if=/dev/urandom of=/tmp/x bs=1M count=20; echo worked; done' /tmp/in &&
		wait_for '^worked' && stop
}

t "devices: a disk and a web server" prepare
t "devices: they are there" devices_ready
START=$(holes)
t "q35, 4 vCPUs, -snapshot: boots to a prompt" boots quiet \
	offmap run -- $QEMU -M q35 -smp 4 -m 192 \
	-drive file=/run/disk,format=raw,if=virtio -snapshot \
	-netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
	-device virtio-balloon-pci
t "the guest has 4 processors" is nproc 4
t "the guest runs on kvm-clock" is "cat $CLOCK" kvm-clock
t "kvm-clock: the kernel can reach nothing of the guest" absent
t "kvm-clock: keeps time when the VM is stopped and goes on" keeps_time
t "virtio-blk: the guest writes a file" writes_disk
t "virtio-net: ping, and a file from a web server" has_network 10.0.2.15 10.0.2.2
t "virtio-balloon: what the guest gives goes back" balloon_gives_back 80 192
t "savevm, loadvm: the guest is as it was" snapshot_works
t "the kernel can reach nothing of the guest" absent
t "the guest boots again" reboots
t "virtio-blk: the file is still there" reads_disk
t "kvm-clock: runs again" is "cat $CLOCK" kvm-clock
t "the kernel can still reach nothing of the guest" absent
t "the VMM is killed while the guest works" killed_in_the_middle
t "no page stays out of the direct map" holes_are "$START"
t "-snapshot: the disk is as it was" sha256sum -c /tmp/disk.sum
plan
