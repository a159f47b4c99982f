#!/bin/sh
# SPDX-License-Identifier: MIT
# vmm/ on a machine for which there is no VMM in the lab: its unit tests, the answer
# of offmap probe, and two small VMMs.
#
# Arguments: "refused" where the kernel cannot protect memory.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source-path=SCRIPTDIR source=lib.sh
. /scenario/lib.sh
VMM=/vmm
export PATH="$PATH:$VMM/bin" LD_LIBRARY_PATH=$VMM/san
MIB=24

mkdir -p /var/tmp

# Each of its claims is a test here.
unit() {
	"$VMM/san/$1" >"/tmp/$1" 2>&1
	status=$?
	cat "/tmp/$1"
	return $status
}

claim() {
	case $1 in
	'not ok'*) return 1 ;;
	*'# SKIP '*)
		echo "${1#*# SKIP }"
		return 4
		;;
	esac
}

start() { start_vmm /tmp/out "$@"; }

if [ "${1:-}" = refused ]; then
	t "offmap probe: no, with the reason" gives 1 'protect   no: .*cannot do it on this machine' \
		offmap probe
	t "offmap run starts nothing" gives 125 'cannot do it on this machine' \
		offmap run -- $VMM/bin/plain_vmm $MIB
	plan
	exit
fi

for test in lib_test model_test drive_test text_test files_test stat_test advice_test; do
	t "$test ends well" unit $test
	while IFS= read -r line <&4; do
		[ -n "$line" ] || continue
		t "$(echo "$line" | sed 's/^.*ok [0-9]* - //; s/ # SKIP.*//')" claim "$line"
	done 4<<-END
		$(grep -E '^(not )?ok ' /tmp/$test)
	END
done

t "offmap probe: this kernel can protect memory" gives 0 'protect   yes' offmap probe
t "offmap probe: the VMM can be run" gives 0 'vmm       yes' offmap probe $VMM/bin/plain_vmm
t "liboffmap: the example works" gives 0 'got: f4' $VMM/examples/minimal
t "liboffmap: its calls on a real guest_memfd" $VMM/bin/real_lib
t "offmap demo says that it has no guest" gives 3 'a program for x86' offmap demo
t "offmap audit: no VM yet" gives 4 'no process has a VM' offmap audit

# run CASE [option of offmap run]
run() {
	case=$1
	shift
	offmap run "$@" -- $VMM/bin/run_vmm "$case"
	status=$?
	# the case has said why it cannot be
	[ "$status" != 77 ] || return 4
	return "$status"
}

for case in raw allowlist children fork reuse dup closefrom scrub dontfork prealloc \
	discard map_over new_vm setuid around fork_allowlist fork_no_exit mremap process_madvise \
	remap uring exec_waits; do
	t "run_vmm: $case" run $case
done
t "run_vmm: share" run share --share-guest-memfd
t "run_vmm: uring_share" run uring_share --share-guest-memfd
t "run_vmm: signals interrupt no call that the supervisor is asked for" gives 0 ', 0 calls' \
	run signals
t "run_vmm: a slot that cannot be stops it" gives 125 'a page can be in one slot only' \
	run alias
for case in unmapped unmapped_later unmapped_busy; do
	t "run_vmm: $case: it is stopped" gives 125 'without MAP_FIXED' run $case
	t "run_vmm: $case: permissive goes on" gives 0 'stays ordinary memory' run $case --permissive
done
t "run_vmm: so does memory that was moved" gives 125 'a guest_memfd already' run moved
t "a VMM under offmap run" start offmap run -- $VMM/bin/plain_vmm $MIB
t "the kernel cannot reach its memory" gives 0 'absent: the kernel can reach 0 of' offmap audit
stop_vmm
t "control: without offmap" start $VMM/bin/plain_vmm $MIB
t "control: the kernel can reach it" gives 1 'direct map: page tables, kcore reads it' offmap audit
stop_vmm
plan
