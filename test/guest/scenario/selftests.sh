#!/bin/sh
# SPDX-License-Identifier: MIT
# KVM's selftests on memory out of the direct map, and those of what "offmap run" needs of
# seccomp.  This kernel has all they need, so a skip means that something is broken.
#
# Arguments: "core" for the tests of the flag alone, "there" for those of them that a step
# of the series has already, x86/TEST for that test alone; "short" after these, or alone, for a slow machine: what goes on
# for a time does so for a second, or is left out; "brief" for that of one test,
# guest_memfd_write_stress_test.
# Selftests: kvm seccomp
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=upstream_lib.sh
. /scenario/upstream_lib.sh

# Skips are allowed for features that KVM has on x86 only, or not with shadow paging.
# The lab's kernel for arm64 also leaves out features that do not depend on the
# architecture.
MAY_SKIP='^$'
[ "$(uname -m)" = x86_64 ] ||
	MAY_SKIP='KVM_PRE_FAULT_MEMORY is not\|needs CONFIG_IO_URING\|here does direct I/O'
! grep -qsx N /sys/module/kvm_intel/parameters/ept ||
	MAY_SKIP='KVM_PRE_FAULT_MEMORY is not\|KVM_X86_SW_PROTECTED_VM is not\|entries of the guest do not show'
! grep -q 'kvm-arm.mode=protected' /proc/cmdline ||
	MAY_SKIP="$MAY_SKIP\|entries of the guest do not show"
MAY_SKIP="$MAY_SKIP\|nobody gets a reference"
# PREEMPT_RT has no large folios.
THP=/sys/kernel/mm/transparent_hugepage
[ -d $THP ] || MAY_SKIP="$MAY_SKIP\|no such guest_memfd"
! dmesg | grep -q 'nodirmap: off' || MAY_SKIP="$MAY_SKIP\|no large folios here"

must() {
	tap_limited $((240 * ${TAP_SLOW:-1})) "$@" >/tmp/must.out 2>&1
	status=$?
	cat /tmp/must.out
	if [ "$status" = 4 ] || grep '# SKIP' /tmp/must.out | grep -qv "$MAY_SKIP"; then
		echo "skipped, though this kernel has what it needs"
		return 1
	fi
	return "$status"
}

upstream_passes() {
	result=''
	upstream pass "${1#./}" must "$@"
	[ "$result" = pass ]
}

# Upstream's, where KVM itself is at the memory of the guest: they all pass on
# anonymous memory.  The first word is the extension of the processor they need.
WITH_BACKING='
any  steal_time
any  x86/kvm_clock_test
any  x86/kvm_pv_test
any  x86/hyperv_clock
any  x86/nested_close_kvm_test
any  x86/nested_dirty_log_test
any  x86/nested_invalid_cr3_test
any  x86/nested_set_state_test
any  x86/nested_tdp_fault_test
any  x86/nested_tsc_adjust_test
any  x86/smm_test
any  x86/state_test
any  x86/nested_x2apic_test
svm  x86/svm_int_ctl_test
svm  x86/svm_nested_clear_efer_svme
svm  x86/svm_nested_pat_test
svm  x86/svm_nested_shutdown_test
svm  x86/svm_nested_vmcb12_gpa
svm  x86/svm_vmcall_test
svm  x86/hyperv_svm_test
vmx  x86/nested_exceptions_test
vmx  x86/nested_tsc_scaling_test
vmx  x86/vmx_apic_access_test
vmx  x86/vmx_apicv_updates_test
vmx  x86/vmx_invalid_nested_guest_state
vmx  x86/vmx_msrs_test
'

has() { [ "$1" = any ] || grep -qw "$1" /proc/cpuinfo; }

how='' short='' brief=''
for word; do
	case $word in
	short) short=yes brief=yes ;;
	brief) brief=yes ;;
	*) how=$word ;;
	esac
done
own() {
	own_test=$1
	shift
	if [ "$how" != there ] || [ -e "./$own_test" ]; then
		t "kvm: ${own_test#x86/}" must "./$own_test" "$@"
	fi
}

cd /kvm || exit 1
case $how in
x86/*)
	own "$how"
	plan
	exit
	;;
esac
if [ -d $THP ]; then
	own guest_memfd_test
else
	skip "kvm: guest_memfd_test" "Linux's own part of it needs transparent huge pages"
fi
own guest_memfd_no_direct_map_test
own guest_memfd_no_direct_map_guest_test
own memslots_debugfs_test
own guest_memfd_write_test
own guest_memfd_write_stress_test ${brief:+-d 1}
# a large folio is 2 MiB where pages have 4 KiB
if [ -d $THP ] && grep -q 'KernelPageSize: *4 kB' /proc/self/smaps; then
	own guest_memfd_huge_test
fi
if [ "$(uname -m)" = x86_64 ]; then
	own x86/kvm_clock_no_direct_map_test
	if grep -qw svm /proc/cpuinfo; then
		own x86/svm_no_direct_map_test
	else
		own x86/vmx_no_direct_map_test
	fi
fi
if [ -z "$how" ]; then
	export KVM_TEST_BACKING_SRC=guest_memfd_no_direct_map
	while read -r extension test <&4; do
		[ -z "$test" ] || ! has "$extension" ||
			t "kvm: $test outside the direct map" upstream_passes "./$test"
	done 4<<-END
		$WITH_BACKING
	END
	unset KVM_TEST_BACKING_SRC
	show_twice
	[ -n "$short" ] || for type in guest_memfd guest_memfd_no_direct_map; do
		t "kvm: demand_paging_test -s $type" \
			must ./demand_paging_test -b 4M -v 2 -s $type
		t "kvm: memslot_modification_stress_test -s $type" \
			must ./memslot_modification_stress_test -b 4M -v 2 -i 20 -s $type
	done
	if [ -d /seccomp ]; then
		cd /seccomp || exit 1
		for test in wait_killable_pre_notification wait_killable wait_killable_fatal; do
			t "seccomp: $test" must ./seccomp_bpf -t "user_notification_$test"
		done
	fi
fi
plan
