#!/bin/sh
# SPDX-License-Identifier: MIT
# vmm/ on a machine for which there is no VMM in the lab: its unit tests, the answer
# of offmap probe, and a VMM of 130 lines.
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

for test in lib_test model_test drive_test text_test files_test stat_test; do
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
t "offmap demo says that it has no guest" gives 3 'a program for x86' offmap demo
t "offmap audit: no VM yet" gives 4 'no process has a VM' offmap audit

# A supervisor is asked by seccomp filters, which want a kernel with networks.
skip "a VMM under offmap run" "untested: the lab's kernel for arm64 has no seccomp filters, nor kcmp()"
t "control: without offmap" start $VMM/bin/plain_vmm $MIB
t "control: the kernel can reach it" gives 1 'direct map: page tables, kcore reads it' offmap audit
stop_vmm
plan
