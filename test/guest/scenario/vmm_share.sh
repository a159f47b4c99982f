#!/bin/sh
# SPDX-License-Identifier: MIT
# vhost-user: QEMU's storage daemon serves a guest a disk.  It has the guest's memory
# as a guest_memfd outside the direct map.
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

DAEMON=/usr/bin/qemu-storage-daemon

disk_ready() {
	truncate -s 16M "$ROOT/run/disk" && mke2fs -F "$ROOT/run/disk" >/dev/null
}

# serves NAME: a disk at the socket of that name
serves() {
	(
		exec >/tmp/daemon 2>&1
		on_host $DAEMON --blockdev driver=file,node-name=disk,filename=/run/disk \
			--export "vhost-user-blk,id=disk,addr.type=unix,addr.path=/run/$1,node-name=disk,writable=on,num-queues=2"
	) &
	within "$PATIENCE" test -S "$ROOT/run/$1" || {
		cat /tmp/daemon
		return 1
	}
}

daemon_sees_it_all() {
	found=$(guest_memfd_of "$(pidof qemu-storage-daemon)")
	echo "$found MiB"
	[ "$found" -ge 190 ] && ! grep memfd: "/proc/$(pidof qemu-storage-daemon)/maps"
}

# with_disk SOCKET: options of QEMU
with_disk() {
	echo "-object memory-backend-memfd,id=ram,size=192M,share=on -chardev socket,id=disk,path=/run/$1 -device vhost-user-blk-pci,chardev=disk"
}

daemon_ends() {
	# shellcheck disable=SC2046
	kill $(pidof qemu-storage-daemon)
	while pidof qemu-storage-daemon >/dev/null; do
		sleep 1
	done
}

t "share: the host's root is a place for a VMM" prepare
t "share: a disk" disk_ready
if [ ! -e $ROOT$DAEMON ]; then
	skip "share: a back end of vhost-user" "the host has no $DAEMON: sudo make packages"
	plan
	exit
fi
START=$(holes)
t "share: a back end of vhost-user" serves one
# shellcheck disable=SC2046
t "q35, 2 vCPUs, a disk of vhost-user-blk: boots to a prompt" boots quiet \
	offmap run --share-guest-memfd -- $QEMU -M q35,memory-backend=ram -smp 2 -m 192 $(with_disk one)
t "the guest writes a file to that disk" writes_disk
t "and reads it" reads_disk
t "the back end has the guest's memory, and no other" daemon_sees_it_all
t "the kernel can reach nothing of the guest" absent
t "the VMM is killed" stop
t "the back end ends" daemon_ends
t "no page stays out of the direct map" holes_are "$START"
t "share: the back end again" serves two
# shellcheck disable=SC2046
t "the guest boots with that disk again" boots quiet \
	offmap run --share-guest-memfd -- $QEMU -M q35,memory-backend=ram -smp 2 -m 192 $(with_disk two)
t "and reads the file" reads_disk
stop
plan
