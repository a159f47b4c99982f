#!/bin/sh
# SPDX-License-Identifier: MIT
# Another kernel follows this one while a VM has its memory out of the map.  It is one
# that kexec starts, or, after a crash, the one that saves /proc/vmcore, here to the first
# disk.
#
# Arguments: crash|now, the kernel, halves of the secret of a VM out of the map, and
# of that of one in the map.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /scenario/lib.sh

# make_initrd crash|now DONE: what this VM runs from, less the selftests, which the
# next one has no room for, and its own command; DONE tests are behind it.
make_initrd() {
	mkdir -p /tmp/next/.lab
	cp -a /bin /sbin /usr /etc /init /tap.sh /host.sh /scenario /tmp/next/ || return
	(cd /tmp/next && mkdir dev proc sys tmp run root host mnt) || return
	cp /.lab/settings /tmp/next/.lab/
	sed -i 's/^HOST_SHARE=.*/HOST_SHARE=no/' /tmp/next/.lab/settings
	echo "/scenario/kexec_next.sh $1 $2" >/tmp/next/.lab/command
	(cd /tmp/next && find . | cpio -o -H newc) >/tmp/initrd || return
	rm -r /tmp/next
}

# How many types of free pages have a list for an order; for who reads the dump.
free_lists() {
	sed -n 's/^Number of blocks type *//p' /proc/pagetypeinfo | wc -w | sed 's/^/lists of free pages: /'
}

# tap.sh reads this
# shellcheck disable=SC2034
T=300
ARGS=$(sed 's/crashkernel=[^ ]*//' /proc/cmdline)
plant gmem_mmap 64 "$3" "$4" >/tmp/victim &
plant plain 16 "$5" "$6" >/tmp/control &
t "a VM has its secret in memory out of the map" planted /tmp/victim
t "another in the map" planted /tmp/control
case $1 in
crash)
	t "it is known how many lists of free pages there are" gives 0 '[1-9]' free_lists
	t "the next kernel's files are there" make_initrd crash 5
	t "the kernel for a crash is loaded" \
		kexec_load crash "$2" /tmp/initrd "$ARGS nr_cpus=1 reset_devices"
	[ "$TAP_FAILED" != 0 ] || echo c >/proc/sysrq-trigger
	;;
now)
	t "the next kernel's files are there" make_initrd now 3
	t "the next kernel starts" kexec_load now "$2" /tmp/initrd "$ARGS"
	;;
esac
# the plan is the next kernel's, where there is one
plan
