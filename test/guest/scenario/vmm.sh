#!/bin/sh
# SPDX-License-Identifier: MIT
# An unmodified VMM of the host's distribution boots Linux on memory that this
# kernel cannot reach, and offmap audit tells so; beside it the control: the
# same VMM on ordinary memory.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host.
# shellcheck source=/dev/null
. /tap.sh

BUILT=$1
KERNEL=$2
ROOT=/host
QEMU=/usr/bin/qemu-system-x86_64
# The guest has no kvm-clock; a microvm has no other clock to measure the TSC.
KHZ=$(dmesg | sed -n 's/.*tsc: Detected \([0-9]*\)\.\([0-9]*\) MHz.*/\1\2/p')
MACHINE="-accel kvm -cpu host -m 256 -nodefaults -no-reboot -display none"
# seconds for a guest to boot, on a slow machine that has other things to do
PATIENCE=240

offmap() { chroot $ROOT "$BUILT/bin/offmap" "$@"; }

prepare() {
	for dir in dev proc sys; do
		mount -o bind /$dir $ROOT/$dir || return 1
	done
	mount -t debugfs debugfs $ROOT/sys/kernel/debug
	mount -t tmpfs run $ROOT/run
	truncate -s 256M $ROOT/run/ram
	mkdir -p /tmp/g/bin /tmp/g/dev /tmp/g/proc
	cp /bin/busybox /tmp/g/bin/
	cat >/tmp/g/init <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install /bin
		mount -t devtmpfs dev /dev
		export PATH=/bin PS1='guest: '
		exec setsid sh -ic 'exec sh -i' </dev/ttyS0 >/dev/ttyS0 2>&1
	END
	chmod +x /tmp/g/init
	(cd /tmp/g && find . | cpio -o -H newc) >$ROOT/run/guest.cpio
}

# start "APPEND" command...: the VMM in the background, its console in
# /tmp/out; a pipe stands for the keyboard.
start() {
	append="console=ttyS0 panic=-1 kunit.enable=0 $1"
	shift
	rm -f /tmp/in
	mkfifo /tmp/in
	: >/tmp/out
	# A shell keeps what it redirects, for later; with exec it does not, and
	# the output of this test ends.
	(
		exec >/tmp/in 2>/dev/null
		sleep 9999
	) &
	(
		exec </tmp/in >/tmp/out 2>/tmp/err
		# shellcheck disable=SC2086
		"$@" $MACHINE -serial stdio -kernel "$KERNEL" -initrd /run/guest.cpio \
			-append "$append"
	) &
	echo $! >/tmp/pid
}

# wait_for TEXT: on the guest's console
wait_for() {
	left=$PATIENCE
	until grep -q "$1" /tmp/out; do
		left=$((left - 1))
		if [ "$left" = 0 ] || ! kill -0 "$(cat /tmp/pid)"; then
			tail -n 8 /tmp/out /tmp/err
			return 1
		fi
		sleep 1
	done
	cat /tmp/err
}

# A prompt is one when it answers.
boots() {
	start "$@"
	wait_for '^guest: ' || return 1
	# shellcheck disable=SC2016
	echo 'echo prompt-$((6 * 7))' >/tmp/in
	wait_for '^prompt-42'
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

# gives STATUS TEXT command...: both have to fit
gives() {
	wanted=$1 text=$2
	shift 2
	"$@" >/tmp/gives 2>&1
	status=$?
	cat /tmp/gives
	[ "$status" = "$wanted" ] && grep -q "$text" /tmp/gives
}

refuses() {
	text=$1
	shift
	# shellcheck disable=SC2086
	gives 125 "$text" offmap run -- $QEMU $MACHINE -kernel "$KERNEL" "$@"
}

# Ranges that the direct map lacks.
holes() {
	echo 1 >/proc/sys/vm/drop_caches
	awk '/^---\[/ { inside = /Low Kernel Mapping/ }
		inside && /^0x/ && !/ (RW|ro) / { n++ }
		END { print n + 0 }' /sys/kernel/debug/page_tables/kernel
}

# Pages go back when the VMM's memory is torn down, which takes its time.
holes_are() {
	left=60
	while [ "$(holes)" != "$1" ] && [ "$left" -gt 0 ]; do
		left=$((left - 1))
		sleep 1
	done
	echo "$(holes) holes, wanted $1"
	[ "$(holes)" = "$1" ]
}

# What audit counts in memory that is not a ROM, over all VMs.
json_says() {
	offmap audit --json >/tmp/json
	grep -q "\"verdict\": \"$1\"" /tmp/json &&
		grep -q '"page_tables": true' /tmp/json && grep -q '"kcore": true' /tmp/json
}

t "vmm: the host's root is a place for a VMM" prepare
START=$(holes)
t "offmap probe: this kernel can protect QEMU" gives 0 'protect   yes' offmap probe $QEMU
t "offmap audit: no VM yet" gives 4 'no process has a VM' offmap audit
t "liboffmap: the example works" gives 0 'got: f4' chroot $ROOT "$BUILT/examples/minimal"
t "offmap run: SMM is refused before the guest runs" refuses 'SMM off' -M q35
t "offmap run: a shared file as memory is refused" refuses 'shared mapping of /run/ram' \
	-M q35,smm=off,memory-backend=ram \
	-object memory-backend-file,id=ram,size=256M,mem-path=/run/ram,share=on
t "and nothing of them stays out of the direct map" holes_are "$START"

t "q35, 4 vCPUs: boots to a prompt" boots "" \
	offmap run --verbose -- $QEMU -M q35,smm=off -smp 4
t "q35: the kernel can reach nothing" gives 0 'absent: the kernel can reach 0 of' offmap audit
t "q35: so says JSON" json_says absent
t "q35: there are holes in the direct map" test "$(holes)" -gt "$START"
t "q35: the VMM is killed" stop
t "q35: no page stays out of the direct map" holes_are "$START"

t "microvm: boots to a prompt" boots "tsc_early_khz=$KHZ" \
	offmap run --verbose -- $QEMU -M microvm,smm=off,rtc=on -smp 1
t "microvm: the kernel can reach nothing" gives 0 'absent: the kernel can reach 0 of' offmap audit
t "microvm: the VMM is killed" stop

t "control: the same on ordinary memory" runs "earlyprintk=serial" \
	offmap run --observe -- $QEMU -M q35,smm=off -smp 1
t "control: the kernel can reach it, through page tables and kcore" \
	gives 1 'plain .*direct map: page tables, kcore reads it' offmap audit
t "control: so says JSON" json_says reachable
t "control: the VMM is killed" stop
t "control: QEMU without offmap" runs "earlyprintk=serial" chroot $ROOT $QEMU -M q35 -smp 1
t "control: its mappings are looked at, and reachable" \
	gives 1 'memslots are not known' offmap audit
stop
plan
