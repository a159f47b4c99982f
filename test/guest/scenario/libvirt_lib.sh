# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# A domain of libvirt in session mode, whose <emulator> starts QEMU below offmap run.
# Sourced after lib.sh by test/host/vmm_libvirt.t and, in the lab, vmm_libvirt.sh:
# both are in a mount namespace of their own.

LIBVIRT=/mnt/root
NOBODY=65534

# libvirt_root HOST UNPACKED OFFMAP WRAPPER: the root of the host with libvirt over it,
# writable, at $LIBVIRT; paths of programs
libvirt_root() {
	mount -t tmpfs tmpfs /mnt && mkdir -p /mnt/up /mnt/work $LIBVIRT &&
		cp -a "$2/." /mnt/up && chmod 755 /mnt/up &&
		mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/up,workdir=/mnt/work" $LIBVIRT &&
		mount -o bind /proc $LIBVIRT/proc && mount -o bind /sys $LIBVIRT/sys &&
		mount -t tmpfs -o mode=755 dev $LIBVIRT/dev && mount -t tmpfs -o mode=1777 tmp $LIBVIRT/tmp &&
		mount -t tmpfs -o mode=755 run $LIBVIRT/run || return 1
	for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 kvm:10:232; do
		name=${node%%:*} numbers=${node#*:}
		mknod -m 666 "$LIBVIRT/dev/$name" c "${numbers%:*}" "${numbers#*:}" || return 1
	done
	mkdir $LIBVIRT/dev/shm $LIBVIRT/tmp/home && ln -s /proc/self/fd $LIBVIRT/dev/fd &&
		chown $NOBODY:$NOBODY $LIBVIRT/tmp/home && chmod 700 $LIBVIRT/tmp/home &&
		mkdir -p $LIBVIRT/usr/local/bin && cp "$3" $LIBVIRT/usr/local/bin/offmap &&
		cp "$4" $LIBVIRT/usr/local/bin/offmap-qemu
}

# as_user command...: in that root, as a user who owns nothing
as_user() {
	chroot $LIBVIRT /usr/bin/setpriv --reuid $NOBODY --regid $NOBODY --clear-groups \
		/usr/bin/env -i LC_ALL=C HOME=/tmp/home XDG_RUNTIME_DIR=/tmp/home \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

virsh() { as_user timeout 600 virsh -q -c qemu:///session "$@"; }

# A domain as a person would write it, and what SeaBIOS says.
domain() {
	cat >$LIBVIRT/tmp/domain.xml <<-'END'
		<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>one</name>
		  <memory unit='MiB'>256</memory>
		  <vcpu>2</vcpu>
		  <os><type arch='x86_64' machine='q35'>hvm</type></os>
		  <features><acpi/><apic/></features>
		  <devices>
		    <emulator>/usr/local/bin/offmap-qemu</emulator>
		    <memballoon model='virtio'/>
		  </devices>
		  <qemu:commandline>
		    <qemu:arg value='-chardev'/><qemu:arg value='file,id=bios,path=/tmp/home/bios'/>
		    <qemu:arg value='-device'/><qemu:arg value='isa-debugcon,iobase=0x402,chardev=bios'/>
		  </qemu:commandline>
		</domain>
	END
}

# virsh starts the daemon of a session
libvirt_starts() { virsh version; }

# bios_ended TIMES: it has found nothing to start so many times
bios_ended() { [ "$(grep -ac 'No bootable device' $LIBVIRT/tmp/home/bios)" = "$1" ]; }

domain_starts() { domain && virsh create /tmp/domain.xml && within 600 bios_ended 1; }

# the process of the VMM; its task has another name
domain_pid() { cat $LIBVIRT/tmp/home/libvirt/qemu/run/one.pid; }

domain_is_protected() {
	found=$(guest_memfd_of "$(domain_pid)")
	echo "$found MiB"
	[ "$found" -ge 255 ]
}

domain_resets() { virsh reset one && within 600 bios_ended 2 && domain_is_protected; }

no_task() { ! grep -lx offmap-task /proc/[0-9]*/comm; }

domain_ends() { virsh destroy one && within 60 no_task; }
