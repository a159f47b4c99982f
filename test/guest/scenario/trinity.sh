#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's trinity, as a user without privileges, makes any system call with any
# arguments, also on /dev/kvm.  Meanwhile a VM has its memory out of the map.
#
# Arguments: seconds.
# shellcheck source=/dev/null
. /tap.sh

NOBODY=65534
export NOBODY

prepare() {
	for fs in proc sysfs; do
		mount -t $fs $fs "/host/$(echo $fs | sed 's/fs$//')" || return
	done
	mount --bind /dev /host/dev && mount -t tmpfs -o size=64m tmp /host/tmp || return
	chmod 666 /dev/kvm
}

# Its sockets go by a table of protocols that it reads beyond the end of.  An
# absolute path, as busybox else runs what it has of that name itself.
cat >/tmp/trinity <<'END'
killed_all() {
	left=0
	for dir in /proc/[0-9]*; do
		[ "$(stat -c %u "$dir" 2>/dev/null)" = $NOBODY ] || continue
		kill -9 "${dir#/proc/}" && left=$((left + 1))
	done 2>/dev/null
	[ $left = 0 ]
}

ulimit -u 500
chroot /host /bin/sh -c "echo 1000 >/proc/self/oom_score_adj
	cd /tmp && exec timeout -k 20 $1 setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups \
	trinity -qq -l off -C $(nproc) --disable-fds=sockets" >/tmp/trinity.out 2>&1
echo "trinity ended with $?"
until killed_all; do sleep 1; done
tail -n 3 /tmp/trinity.out
grep -q '[1-9][0-9]* iterations' /tmp/trinity.out
END

t "trinity has what it needs" prepare
# tap.sh reads this
# shellcheck disable=SC2034
T=$(($1 * 2 + 300))
t "trinity: $1 s beside a VM out of the map, which stays absent" \
	boundaries around gmem_mmap 64 -- sh /tmp/trinity "$1"
sed -n 's/^/# /p' /tmp/tap.out >&3
plan
