#!/bin/sh
# SPDX-License-Identifier: MIT
# Devices whose other end is in the host's kernel: vhost-net with a tap, and vhost-vsock.
# That kernel cannot reach the guest's memory by its direct map, and copies by the VMM's
# mapping.
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

CID=42

guest_ready() {
	mkdir -p /tmp/g/bin && cp /bin/vsock /tmp/g/bin/ && prepare
}

tap_ready() { ifconfig tap0 10.0.3.1 netmask 255.255.255.0 up && serves_file 10.0.3.1; }

# opened PROCESS DEVICE
opened() {
	for fd in "/proc/$1/fd"/*; do
		case $(readlink "$fd") in
		*"/dev/$2") return 0 ;;
		esac
	done
	return 1
}

# has_vhost DEVICE: QEMU goes on without it, with a word, if it does not work
has_vhost() {
	cat /tmp/err
	for vmm in $(pidof qemu-system-x86_64); do
		if opened "$vmm" "$1"; then
			cat "/proc/$vmm"/task/*/comm
			grep -q "^vhost-$vmm" "/proc/$vmm"/task/*/comm && ! grep -i falling /tmp/err
			return
		fi
	done
	return 1
}

no_vsock() { ! pidof vsock >/dev/null; }

# The sender waits for the listener.
guest_sends() {
	(
		exec >/tmp/heard 2>&1
		vsock listen 1234
	) &
	ask 'head -c 2000000 /dev/urandom >/tmp/file; until vsock send 2 1234 </tmp/file; do sleep 1; done' ||
		return 1
	sum=$(value 'md5sum </tmp/file') || return 1
	within "$PATIENCE" no_vsock
	ls -l /tmp/heard
	[ "$(md5sum </tmp/heard)" = "$sum" ]
}

send_file() { vsock send $CID 1235 <$WWW/file; }

guest_listens() {
	type_in 'vsock listen 1235 >/tmp/heard; echo "=listened=$?"' /tmp/in
	within "$PATIENCE" send_file || return 1
	wait_for '^=listened=0' && is 'md5sum </tmp/heard' "$(md5sum <$WWW/file)"
}

t "vhost: this kernel has vhost-net and vhost-vsock" test -c /dev/vhost-net -a -c /dev/vhost-vsock
t "vhost: a guest that knows vsock" guest_ready
START=$(holes)
t "q35, 2 vCPUs, vhost-net, vhost-vsock: boots to a prompt" boots quiet \
	offmap run -- $QEMU -M q35 -smp 2 -m 192 \
	-netdev tap,id=net,ifname=tap0,script=no,downscript=no,vhost=on \
	-device virtio-net-pci,netdev=net,romfile= \
	-device vhost-vsock-pci,guest-cid=$CID
t "vhost: the tap has an address, and a web server" tap_ready
t "vhost-net: ping, and a file from a web server" has_network 10.0.3.2 10.0.3.1
t "vhost-net: the kernel does it" has_vhost vhost-net
t "vhost-vsock: the guest sends a file" guest_sends
t "vhost-vsock: the guest gets a file" guest_listens
t "vhost-vsock: the kernel does it" has_vhost vhost-vsock
t "vhost: the kernel can reach nothing of the guest" absent
t "vhost: the VMM is killed" stop
t "vhost: no page stays out of the direct map" holes_are "$START"
plan
