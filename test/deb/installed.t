#!/bin/bash
# SPDX-License-Identifier: MIT
# The packages of make deb as an operator has them.  apt installs them into Debian's
# minimal system, whose own initrd boots the kernel.  offmap demo runs there. For
# `make check-deb`, which makes them first; needs root, as mmdebstrap does here.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../lab/apt.sh
. "$TOP/lab/apt.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

LOGS=$OUT/logs/deb-installed
WORK=$OUT/deb-installed.tmp
ROOT=$WORK/root
# the release that the packages were made on, and for
CODENAME=$(debian_codename)
LIMIT=1800
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

need() {
	local tool
	[ "$(id -u)" = 0 ] || die "mmdebstrap needs root here: sudo make check-deb"
	[ -n "$CODENAME" ] || die "this is not Debian, for whose releases the packages are"
	for tool in mmdebstrap mke2fs; do
		command -v $tool >/dev/null ||
			die "not installed: $tool: run 'make packages FOR=check-deb'"
	done
}

# What runs instead of an init system, and says on the second port how it went.
first_program() {
	cat >"$ROOT/check" <<'END'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs run /run
exec 3>/dev/ttyS1
modprobe kvm_amd || modprobe kvm_intel
for command in 'uname -r' 'offmap --version' 'offmap probe' 'offmap demo'; do
	echo "== $command"
	$command
	echo "== status $?"
done >&3 2>&1
{
	echo "== kernel log"
	dmesg | grep -E 'nodirmap|mermap'
	echo "== status end"
} >&3
sync
# the disk goes before this does: nothing may be left to be read from it
sleep 60 &
sleep 1
cat /bin/sh >/dev/null
echo o >/proc/sysrq-trigger
wait
END
	chmod +x "$ROOT/check"
}

make_root() {
	rm -rf "$WORK"
	mkdir -p "$WORK/deb" "$LOGS"
	cp "$OUT"/deb/{linux-image,offmap,liboffmap0}*.deb "$WORK/deb/"
	cat >"$WORK/install" <<-END
		#!/bin/sh -e
		cp -a '$WORK/deb' "\$1/deb"
		chroot "\$1" sh -c 'apt-get install -y /deb/*.deb'
		rm -r "\$1/deb"
	END
	chmod +x "$WORK/install"
	apt_mirror "$CODENAME"
	mmdebstrap --mode=root --variant=minbase --format=directory \
		--include=initramfs-tools,kmod,qemu-system-x86 \
		--aptopt='APT::Install-Recommends "false"' \
		--customize-hook="$WORK/install" \
		"$CODENAME" "$ROOT" "$MIRROR_URI" >"$LOGS/mmdebstrap.log" 2>&1 ||
		{
			tail -n 5 "$LOGS/mmdebstrap.log"
			return 1
		}
	first_program
	mke2fs -q -t ext4 -d "$ROOT" "$WORK/disk" 4G
}

# Exits 0 if the machine has ended by itself.
boot() {
	local args
	read -ra args <<<"${QEMU_MACHINE:?}"
	timeout -k 5 $LIMIT "${QEMU:?}" "${args[@]}" -m 2G -smp 2 -nodefaults -no-reboot -display none \
		-serial "file:$LOGS/console.log" -serial "file:$LOGS/result" \
		-drive "file=$WORK/disk,format=raw,if=virtio" \
		-kernel "$ROOT"/boot/vmlinuz-* -initrd "$ROOT"/boot/initrd.img-* \
		-append "root=/dev/vda rw init=/check console=ttyS0 printk.time=1 panic=-1 ${KERNEL_PARAMS:-}"
}

# said COMMAND: what it has printed, and its status
said() { tr -d '\r' <"$LOGS/result" | sed -n "/^== $1\$/,/^== status/p"; }

need
ok "there is a kernel to install, and offmap" ls "$OUT"/deb/linux-image-*.deb \
	"$OUT"/deb/offmap_*.deb "$OUT"/deb/liboffmap0_*.deb
ok "apt installs them into Debian's minimal system" make_root
ok "it boots from its own initrd, and ends" boot
like "its kernel is ours" "$(said 'uname -r')" '-offmap'
like "the command is there" "$(said 'offmap --version')" 'status 0'
like "offmap probe: this host can" "$(said 'offmap probe')" 'status 0'
like "offmap demo: a plain VM is found" "$(said 'offmap demo')" 'plain .*FOUND: the kernel can read it'
like "offmap demo: a protected one is not" "$(said 'offmap demo')" 'protected .*absent '
like "offmap demo: as promised" "$(said 'offmap demo')" 'status 0'
log=$(said 'kernel log')
like "all of it was said" "$log" 'status end'
is "nothing turned the page blocks off" "$(grep 'nodirmap: off' <<<"$log")" ''
ok "the kernel log is clean" "$TOP/lab/logcheck" "$LOGS/console.log"
