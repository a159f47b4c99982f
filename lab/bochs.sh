# SPDX-License-Identifier: MIT
# The other machine of lab/boot: Bochs, whose processors have VMX, as Intel's do, or SVM.
# INVLPG there drops the translation that it names and no other.  Sourced by lab/boot.
# shellcheck shell=bash disable=SC2153

ISOLINUX=/usr/lib/ISOLINUX/isolinux.bin
LDLINUX=/usr/lib/syslinux/modules/bios/ldlinux.c32

# Instructions in a second of the guest, about as many as a core of the host emulates.
BOCHS_IPS=40000000

# Faults of Bochs 3.0, and how the lab avoids each.
#
#   enable_apicv   VMX takes the descriptor of posted interrupts for malformed, and each
#                  VM entry fails; 3.1 mends it
#   noinvpcid      INVPCID of one address drops all translations that are not global.  With
#                  page table isolation none is global, and one comes with each INVLPG
#   idle=halt      with four CPUs that idle in MWAIT, KUnit's suites hung in threads that
#                  sleep and wake; with HLT they end
#   tsc_early_khz  CPUID promises a TSC of 3.5 GHz, but it counts instructions: a second by
#                  that clock lasted 87
#   tsc=reliable   the clocks are all made of the count of instructions, and the watchdog
#                  of clocksources has nothing to compare
#   reboot=t       a reset would boot again, a triple fault ends Bochs
BOCHS_PARAMS="kvm_intel.enable_apicv=0 noinvpcid idle=halt tsc=reliable tsc_early_khz=$((BOCHS_IPS / 1000)) reboot=t"

# bochs_options VENDOR OPTIONS: the letters of all options that lab/boot was given
bochs_options() {
	case $1 in
	intel) MODEL=corei7_skylake_x ;;
	amd) MODEL=ryzen ;;
	*) die "lab/boot: -b $1: Bochs has processors of intel and amd here" ;;
	esac
	[ "$ARCH" = x86_64 ] || die "lab/boot: -b: Bochs is x86, ARCH is $ARCH"
	[[ ! $2 =~ [qrspI1] ]] ||
		die "lab/boot: -b and -${BASH_REMATCH[0]}: Bochs has nothing of that kind"
	if [[ $2 != *c* ]]; then CPUS=1; fi
	[[ $CPUS =~ ^[1-9][0-9]*$ ]] || die "lab/boot: -b and -c $CPUS: Bochs takes a number of CPUs"
	[[ $MEM =~ ^[1-9][0-9]*[MG]?$ ]] || die "lab/boot: -b and -m $MEM: Bochs takes so many M or G"
	# one thread emulates all CPUs, so that no interrupt is lost
	HEARTBEAT=no
	QEMU=Bochs
}

check_bochs() { BOCHS=$("$TOP/lab/bochs"); }

# in_mib SIZE
in_mib() {
	case $1 in
	*G) echo $((${1%G} * 1024)) ;;
	*) echo "${1%M}" ;;
	esac
}

# The BIOS boots from a disc.
boot_disc() {
	local dir=$LOGS/disc.d
	rm -rf "$dir"
	mkdir -p "$dir/isolinux"
	cp "$ISOLINUX" "$LDLINUX" "$dir/isolinux/"
	cp "$DIR/$KERNEL_IMAGE" "$dir/linux"
	ln "$LOGS/initrd" "$dir/initrd"
	printf '%s\n' 'default lab' 'label lab' 'kernel /linux' 'initrd /initrd' "append $1" \
		>"$dir/isolinux/isolinux.cfg"
	xorriso -as mkisofs -quiet -o "$LOGS/disc" -b isolinux/isolinux.bin -c isolinux/boot.cat \
		-no-emul-boot -boot-load-size 4 -boot-info-table "$dir" >"$LOGS/xorriso.log" 2>&1 ||
		die "$NAME: xorriso makes no disc: $(tail -n 1 "$LOGS/xorriso.log"); log: $LOGS/xorriso.log"
	rm -r "$dir"
}

# Bochs sets BXSHARE where it is not set.
bochs_conf() {
	local mib
	mib=$(in_mib "$MEM")
	cat <<-END
		config_interface: textconfig
		display_library: term
		memory: host=$mib, guest=$mib
		romimage: file=\$BXSHARE/BIOS-bochs-latest
		vgaromimage: file=\$BXSHARE/VGABIOS-lgpl-latest
		boot: cdrom
		ata0: enabled=true, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
		ata0-master: type=cdrom, path="$LOGS/disc", status=inserted
		cpu: model=$MODEL, count=$CPUS, ips=$BOCHS_IPS, reset_on_triple_fault=false, ignore_bad_msrs=1
		clock: sync=none, rtc_sync=0, time0=local
		com1: enabled=true, mode=file, dev="$CONSOLE"
		com2: enabled=true, mode=file, dev="$RESULT"
		log: $LOGS/bochs.log
		panic: action=fatal
		error: action=report
		info: action=ignore
	END
}

# It has no window but a terminal, and takes an ACPI power-off for a panic.
run_bochs() {
	local status=0 show=''
	: >"$LOGS/qemu.log"
	boot_disc "console=$QEMU_CONSOLE,115200 printk.time=1 panic=-1 oops=panic $DEFAULTS $BOCHS_PARAMS $APPEND"
	bochs_conf >"$LOGS/bochsrc"
	if [ -n "${V:-}" ]; then
		tail -n +1 -F --pid=$$ "$CONSOLE" 2>/dev/null &
		show=$!
	fi
	TERM=vt100 script -qec "echo \$\$ >'$LOGS/pid'; exec timeout --foreground -k 5 $((CAP + 120)) $BOCHS -q -f '$LOGS/bochsrc'" \
		/dev/null </dev/null >"$LOGS/screen" 2>&1 || status=$?
	[ -z "$show" ] || kill "$show"
	rm -f "$LOGS/disc"
	! grep -q 'ACPI control: soft power off' "$LOGS/bochs.log" || status=0
	if [ -s "$CONSOLE" ]; then : >>"$RESULT"
	else sed -n '/exiting with the following message/{n;p}' "$LOGS/screen" >"$LOGS/qemu.log"; fi
	return "$status"
}
