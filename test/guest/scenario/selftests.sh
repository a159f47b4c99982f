#!/bin/sh
# SPDX-License-Identifier: MIT
# KVM's selftests on memory out of the direct map.  This kernel has all they
# need, so a skip means that something is broken.
#
# Arguments: "core" for the tests of the flag alone.
# shellcheck source=/dev/null
. /tap.sh

must() {
	timeout -s KILL 240 "$@" >/tmp/must.out 2>&1
	status=$?
	cat /tmp/must.out
	if [ "$status" = 4 ] || grep -q '# SKIP' /tmp/must.out; then
		echo "skipped, though this kernel has what it needs"
		return 1
	fi
	return "$status"
}

cd /kvm || exit 1
t "kvm: guest_memfd_test" must ./guest_memfd_test
t "kvm: guest_memfd_no_direct_map_test" must ./guest_memfd_no_direct_map_test
t "kvm: guest_memfd_no_direct_map_guest_test" must ./guest_memfd_no_direct_map_guest_test
if [ "${1:-}" != core ]; then
	for type in guest_memfd guest_memfd_no_direct_map; do
		t "kvm: demand_paging_test -s $type" \
			must ./demand_paging_test -b 4M -v 2 -s $type
		t "kvm: memslot_modification_stress_test -s $type" \
			must ./memslot_modification_stress_test -b 4M -v 2 -i 20 -s $type
	done
fi
plan
