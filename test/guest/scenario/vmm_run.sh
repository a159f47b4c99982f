#!/bin/sh
# SPDX-License-Identifier: MIT
# A static VMM with raw system calls does what VMMs do, on memory that this kernel
# cannot reach: vmm/test/run_vmm.c, each case of it.  The machine has two nodes.
#
# Arguments: where vmm/ is built, on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
BUILT=$1

# the host's root is read-only
export TMPDIR=/run

offmap() { on_host "$BUILT/bin/offmap" "$@"; }

# run CASE [option of offmap run]
run() {
	case=$1
	shift
	offmap run "$@" -- "$BUILT/bin/run_vmm" "$case"
}

t "run_vmm: the host's root is a place for a VMM" host_ready
t "liboffmap: its calls on a real guest_memfd" on_host "$BUILT/bin/real_lib"
echo 8 >/proc/sys/vm/nr_hugepages
for case in raw allowlist children fork reuse dup closefrom scrub dontfork prealloc locked \
	on_node hugetlb discard map_over new_vm setuid around fork_allowlist fork_no_exit mremap \
	process_madvise remap uring churn exec_waits first_thread_ends; do
	t "run_vmm: $case" run $case
done
if offmap probe --json | grep -q '"huge": true'; then
	t "run_vmm: hugetlb, with pages of 2 MiB" run hugetlb --huge
else
	skip "run_vmm: hugetlb, with pages of 2 MiB" "this kernel has none for guest_memfd"
fi
t "run_vmm: share" run share --share-guest-memfd
t "run_vmm: share_scrub" run share_scrub --share-guest-memfd
t "run_vmm: first_thread_ends_share" run first_thread_ends_share --share-guest-memfd
t "run_vmm: uring_share" run uring_share --share-guest-memfd
t "run_vmm: signals interrupt no call that the supervisor is asked for" gives 0 ', 0 calls' run signals
t "run_vmm: a slot that cannot be stops it" gives 125 'a page can be in one slot only' run alias
t "run_vmm: so does shared memory of System V" gives 125 'shared mapping of /SYSV' run sysv
t "run_vmm: so does shared memory that a child has" \
	gives 125 'shared memory that process [0-9]* has as well' run forked_back_end
for case in unmapped unmapped_later unmapped_busy; do
	t "run_vmm: $case: it is stopped" gives 125 'without MAP_FIXED' run $case
	t "run_vmm: $case: permissive goes on" gives 0 'stays ordinary memory' run $case --permissive
done
t "run_vmm: a guest that has run loses the slot, and that is said" \
	gives 0 'slot 0 is gone from the guest' run unmapped_running
t "run_vmm: a guest_memfd of the VMM's own stops it" \
	gives 125 'guest_memfd of its own' run own_guest_memfd
t "run_vmm: permissive refuses it" gives 0 'the slot is refused' run own_guest_memfd --permissive
t "run_vmm: memory that was moved stops it" gives 125 'a guest_memfd already' run moved
plan
