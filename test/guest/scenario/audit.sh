#!/bin/sh
# SPDX-License-Identifier: MIT
# offmap audit asks the kernel, whatever the VMM that it looks at does; and offmap
# stat counts.
#
# Argument: the offmap command, on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck source-path=SCRIPTDIR source=lib.sh
. /scenario/lib.sh

OFFMAP=$1

offmap() { on_host "$OFFMAP" "$@"; }

# start ARGUMENTS...: until the VMM is ready
start() { start_vmm /tmp/odd odd_vmm "$@"; }

# audited STATUS TEXT WHICH...: of a VMM of that kind
audited() {
	status=$1 text=$2
	shift 2
	start "$@" || return 1
	gives "$status" "$text" offmap audit --pid "$(cat /tmp/pid)"
	ret=$?
	stop_vmm
	return $ret
}

# The file is not taken, as nobody could close it again.
beside_fuse() {
	[ -c /dev/fuse ] || {
		echo "this kernel has no FUSE"
		return 4
	}
	start fuse || return 1
	gives 3 'has closed its guest_memfd' offmap audit --timeout 60 --pid "$(cat /tmp/pid)"
	ret=$?
	# with its server: until that is gone nobody can end who waits for it
	# shellcheck disable=SC2046
	kill -9 $(pidof odd_vmm)
	stop_vmm 2>/dev/null
	return $ret
}

# Both VMs, by two directories.
sees_both() {
	start reused || return 1
	offmap audit --pid "$(cat /tmp/pid)" >/tmp/both
	status=$?
	cat /tmp/both
	stop_vmm
	[ "$status" = 1 ] && grep -q '^  absent: .* 0 of 512 pages' /tmp/both &&
		grep -q '^  reachable: .* 1024 of 1024 pages' /tmp/both
}

# Their memory is a multiple of none; what it takes is about the list.
many_vms() {
	start many 1000 || return 1
	(
		# shellcheck disable=SC3045 # busybox has it
		ulimit -v 400000
		offmap audit --json >/tmp/many
	)
	status=$?
	stop_vmm
	[ "$status" = 3 ] && [ "$(grep -c '"verdict": "unknown"' /tmp/many)" = 1000 ] &&
		grep -q 'it has no memory' /tmp/many
}

# Whatever it finds, it comes to an end, and never says of a dead one that it is absent
# without having seen its pages.
dying_vms() {
	odd_vmm dying 20 >/tmp/odd 2>&1 &
	rounds=0
	while [ $rounds -lt 5 ]; do
		offmap audit --json >/tmp/dying
		status=$?
		cat /tmp/dying
		case $status in 0 | 3 | 4) ;; *) return 1 ;; esac
		rounds=$((rounds + 1))
	done
	wait
}

# Without KVM's list nothing is certain, and the reason is named.
without_list() {
	start protected || return 1
	umount /host/sys/kernel/debug
	gives 3 'unknown: .*debugfs is not mounted: mount -t debugfs' offmap audit
	ret=$?
	mount -t debugfs debugfs /host/sys/kernel/debug
	stop_vmm
	return $ret
}

counts() {
	start protected || return 1
	offmap stat >/tmp/stat
	status=$?
	cat /tmp/stat
	offmap stat --json >/tmp/json && offmap stat --prometheus >/tmp/prometheus
	second=$?
	stop_vmm
	[ "$status" = 0 ] && [ "$second" = 0 ] &&
		grep -q '^fast_path *on ' /tmp/stat && grep -q " odd_vmm .* 4  *0 " /tmp/stat &&
		grep -q '"nodirmap_bytes": 4194304,' /tmp/json &&
		grep -q '^offmap_vm_nodirmap_bytes{.*name="odd_vmm".*} 4194304$' /tmp/prometheus
}

samples() { grep -c "$1" /tmp/often; }
two_samples() { [ "$(samples "$1")" -ge 2 ]; }

# goes_on TEXT OPTIONS...: a line with TEXT once in each sample
goes_on() {
	text=$1
	shift
	# not by a function, whose shell would be killed in its place
	chroot /host "$OFFMAP" stat "$@" 1 >/tmp/often &
	within 120 two_samples "$text"
	ret=$?
	kill $!
	wait $!
	cat /tmp/often
	return $ret
}

repeats() {
	goes_on '^flushes .* +[0-9]* *Flushes' || return 1
	first=$(sed -n '/^flushes /{p;q;}' /tmp/often)
	case $first in *+*) return 1 ;; esac
	goes_on '^  "error": null$' --json
}

t "audit: the host's root is a place for offmap" host_ready
t "audit: no VM" gives 4 'no process has a VM' offmap audit
t "audit: memory outside the direct map is absent" \
	audited 0 'absent: the kernel can reach 0 of 512 pages' protected
t "audit: a forged list changes nothing" \
	audited 1 'reachable: the kernel can reach 1024 of 1024 pages' forged
t "audit: a VM without memory is not absent" audited 3 'unknown: .*it has no memory' nothing
t "audit: a closed guest_memfd is not absent" audited 3 'has closed its guest_memfd' closed
t "audit: a file of FUSE in the place of a guest_memfd" beside_fuse
t "audit: a VM of a thread that is gone" audited 0 'absent: .* 0 of 512' thread
t "audit: half a TiB, of which 1 MiB is there" \
	audited 1 'reachable: the kernel can reach 256 of 256 pages' huge
t "audit: two VMs that had the same descriptor" sees_both
t "audit: 1000 VMs" many_vms
t "audit: VMs that die meanwhile" dying_vms
t "audit: without debugfs it is unknown" without_list
t "stat: counts, and has the VM" counts
t "stat: goes on, and shows what has grown" repeats
plan
