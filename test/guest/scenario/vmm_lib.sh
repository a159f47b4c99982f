# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# A Linux guest under the host's own QEMU, and how to talk to it.  Sourced by
# vmm*.sh after /tap.sh and /host.sh, with BUILT (where vmm/ is built) and KERNEL
# (for the guest) set, both paths on the host.
# shellcheck disable=SC2034 # some are for who sources this
# shellcheck source-path=SCRIPTDIR source=lib.sh
. /scenario/lib.sh

ROOT=/host
WWW=/tmp/www
QEMU=/usr/bin/qemu-system-x86_64
MACHINE="-accel kvm -cpu host -nodefaults -display none"
# seconds for a guest to answer, on a slow machine that has other things to do
PATIENCE=$((400 * ${TAP_SLOW:-1}))

offmap() { on_host "$BUILT/bin/offmap" "$@"; }

# uptime_of LINE: of /proc/uptime, in hundredths of a second
uptime_of() { echo "$1" | sed 's/ .*//; s/\.//; s/^0*//'; }

# The guest's root: busybox with a prompt on the serial port.
prepare() {
	host_ready || return 1
	mkdir -p /tmp/g/bin /tmp/g/dev /tmp/g/proc /tmp/g/sys /tmp/g/mnt /tmp/g/tmp
	cp /bin/busybox /tmp/g/bin/
	cat >/tmp/g/init <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install /bin
		mount -t devtmpfs dev /dev
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		export PATH=/bin PS1='guest: '
		echo booted >/dev/ttyS0
		exec setsid sh -ic 'exec sh -i' </dev/ttyS0 >/dev/ttyS0 2>&1
	END
	chmod +x /tmp/g/init
	(cd /tmp/g && find . | cpio -o -H newc) >$ROOT/run/guest.cpio
	echo 0 >/tmp/asked
}

# start "APPEND" command...: the VMM in the background, its console in
# /tmp/out; a pipe stands for the keyboard, two for QEMU's monitor.
start() {
	append="console=ttyS0 panic=-1 kunit.enable=0 $1"
	shift
	rm -f /tmp/in $ROOT/run/mon.*
	mkfifo /tmp/in $ROOT/run/mon.in $ROOT/run/mon.out
	: >/tmp/out
	: >/tmp/mon
	# A shell keeps what it redirects, for later; with exec it does not, and
	# the output of this test ends.
	(
		exec >/tmp/in 2>/dev/null
		sleep 99999
	) &
	(
		# opened for reading only it would wait for a VMM that may have ended
		exec <>$ROOT/run/mon.out >>/tmp/mon 2>/dev/null
		cat
	) &
	(
		exec </tmp/in >/tmp/out 2>/tmp/err
		# -snapshot keeps its changes there
		export TMPDIR=/run
		# shellcheck disable=SC2086
		"$@" $MACHINE -serial stdio \
			-chardev pipe,id=mon,path=/run/mon -mon chardev=mon \
			-kernel "$KERNEL" -initrd /run/guest.cpio -append "$append"
	) &
	echo $! >/tmp/pid
}

# wait_for TEXT [FILE]: on the guest's console, or elsewhere
wait_for() {
	local left=$PATIENCE
	until grep -q "$1" "${2:-/tmp/out}"; do
		left=$((left - 1))
		if [ "$left" = 0 ] || ! kill -0 "$(cat /tmp/pid)"; then
			echo "waited for: $1"
			tail -n 8 "${2:-/tmp/out}" /tmp/err
			return 1
		fi
		sleep 1
	done
}

# type_in TEXT PIPE: without a reader the shell would wait for one
type_in() {
	kill -0 "$(cat /tmp/pid)" && echo "$1" >"$2"
}

# number: another one each time, also from a subshell
number() {
	echo $(($(cat /tmp/asked) + 1)) >/tmp/asked
	cat /tmp/asked
}

# ask COMMAND: in the guest; shows what it says, and has its status
ask() {
	n=$(number)
	type_in "$1; echo \"=$n=\$?\"" /tmp/in && wait_for "^=$n=[0-9]" || return 1
	tr -d '\r' </tmp/out | sed -n "/; echo \"=$n=/,/^=$n=/p"
	return "$(tr -d '\r' </tmp/out | sed -n "s/^=$n=//p")"
}

# value COMMAND: the line that it prints in the guest
value() {
	n=$(number)
	type_in "echo \"=$n=\$($1)=\"" /tmp/in && wait_for "^=$n=.*=" >&2 || return 1
	tr -d '\r' </tmp/out | sed -n "s/^=$n=\(.*\)=$/\1/p"
}

# is COMMAND WANTED
is() {
	got=$(value "$1")
	echo "$1: $got"
	[ "$got" = "$2" ]
}

# monitor COMMAND [TEXT]: waits until QEMU's monitor has said TEXT
monitor() {
	: >/tmp/mon
	type_in "$1" $ROOT/run/mon.in || return 1
	[ -z "${2:-}" ] || wait_for "$2" /tmp/mon
}

# audited FIELD: of the VM, by audit
audited() { offmap audit --json | sed -n "s/^      \"$1\": \([0-9]*\),\$/\1/p"; }

balloon_is() { monitor 'info balloon' 'actual=' && grep -q "actual=$1[^0-9]" /tmp/mon; }

# balloon_to MIB: the guest takes its time for it.
balloon_to() {
	monitor "balloon $1"
	within "$PATIENCE" balloon_is "$1"
}

# balloon_gives_back MIB ALL: what the guest has left of ALL, and has used before
balloon_gives_back() {
	ask 'head -c 60000000 /dev/zero | tr "\0" x >/tmp/fill; rm /tmp/fill'
	before=$(audited present)
	balloon_to "$1" || return 1
	after=$(audited present)
	echo "pages present: $before, with the balloon $after"
	balloon_to "$2" && ask true && [ "$after" -lt "$before" ]
}

# Of the guest's first virtio-blk, with an ext2.
writes_disk() {
	ask 'mount -t ext2 /dev/vda /mnt && dd if=/dev/urandom of=/mnt/file bs=64k count=48' &&
		ask 'md5sum /mnt/file >/mnt/sum && umount /mnt'
}

reads_disk() {
	ask 'mount -t ext2 /dev/vda /mnt && md5sum -c /mnt/sum && umount /mnt'
}

# serves_file ADDRESS: a web server of this host
serves_file() {
	mkdir -p $WWW
	head -c 2000000 /dev/urandom >$WWW/file
	httpd -p "$1:8080" -h $WWW
}

# has_network GUEST HOST: addresses
has_network() {
	ask "ifconfig eth0 $1 up && ping -c 2 $2" &&
		ask "wget -q -O /tmp/file http://$2:8080/file" &&
		is 'md5sum </tmp/file' "$(md5sum <$WWW/file)"
}

# A prompt is one when it answers.
boots() {
	start "$@"
	wait_for '^booted' && ask true || return 1
	cat /tmp/err
}

runs() {
	start "$@"
	wait_for 'Linux version'
}

stop() {
	# shellcheck disable=SC2046
	kill -9 $(pidof qemu-system-x86_64)
	while pidof qemu-system-x86_64 >/dev/null; do
		sleep 1
	done
}

absent() { gives 0 'absent: the kernel can reach 0 of' offmap audit; }

# Ranges that the direct map lacks.
holes() {
	echo 1 >/proc/sys/vm/drop_caches
	awk '/^---\[/ { inside = /Low Kernel Mapping/ }
		inside && /^0x/ && !/ (RW|ro) / { n++ }
		END { print n + 0 }' /sys/kernel/debug/page_tables/kernel
}

has_holes() { found=$(holes) && [ "$found" = "$1" ]; }

# Pages go back when the VMM's memory is torn down, which takes its time.
holes_are() {
	within 300 has_holes "$1"
	echo "$found holes, wanted $1"
	[ "$found" = "$1" ]
}
