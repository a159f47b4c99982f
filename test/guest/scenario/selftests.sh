#!/bin/sh
# SPDX-License-Identifier: MIT
# KVM's selftests on memory out of the direct map.  This kernel has all they
# need, so a skip means that something is broken.
#
# Arguments: "core" for the tests of the flag alone, "there" for those of them that
# a step of the series has already.
# shellcheck source=/dev/null
. /tap.sh

# What may be skipped: what KVM has on x86 only, and what the lab's kernel for
# arm64 leaves out, as it has nothing to do with the architecture.
MAY_SKIP='^$'
[ "$(uname -m)" = x86_64 ] ||
	MAY_SKIP='KVM_PRE_FAULT_MEMORY is not\|needs CONFIG_IO_URING\|here does direct I/O'

must() {
	timeout -s KILL 240 "$@" >/tmp/must.out 2>&1
	status=$?
	cat /tmp/must.out
	if [ "$status" = 4 ] || grep '# SKIP' /tmp/must.out | grep -qv "$MAY_SKIP"; then
		echo "skipped, though this kernel has what it needs"
		return 1
	fi
	return "$status"
}

how=${1:-}
own() {
	if [ "$how" != there ] || [ -e "./$1" ]; then
		t "kvm: ${1#x86/}" must "./$1"
	fi
}

cd /kvm || exit 1
own guest_memfd_test
own guest_memfd_no_direct_map_test
own guest_memfd_no_direct_map_guest_test
own memslots_debugfs_test
own guest_memfd_write_test
own guest_memfd_write_stress_test
[ "$(uname -m)" != x86_64 ] || own x86/kvm_clock_no_direct_map_test
if [ -z "$how" ]; then
	# upstream's, where KVM itself is at the memory of the guest; they all
	# pass on anonymous memory
	export KVM_TEST_BACKING_SRC=guest_memfd_no_direct_map
	for test in steal_time x86/kvm_clock_test x86/kvm_pv_test x86/hyperv_clock \
		x86/svm_int_ctl_test x86/svm_nested_clear_efer_svme \
		x86/svm_nested_pat_test x86/svm_nested_shutdown_test \
		x86/svm_nested_vmcb12_gpa x86/svm_vmcall_test x86/hyperv_svm_test \
		x86/nested_close_kvm_test x86/nested_dirty_log_test \
		x86/nested_invalid_cr3_test x86/nested_set_state_test \
		x86/nested_tdp_fault_test x86/nested_tsc_adjust_test \
		x86/nested_x2apic_test x86/smm_test x86/state_test; do
		t "kvm: $test outside the direct map" must ./$test
	done
	unset KVM_TEST_BACKING_SRC
	for type in guest_memfd guest_memfd_no_direct_map; do
		t "kvm: demand_paging_test -s $type" \
			must ./demand_paging_test -b 4M -v 2 -s $type
		t "kvm: memslot_modification_stress_test -s $type" \
			must ./memslot_modification_stress_test -b 4M -v 2 -i 20 -s $type
	done
fi
plan
