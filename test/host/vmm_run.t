#!/bin/bash
# SPDX-License-Identifier: MIT
# offmap run with this machine's own KVM.  One VMM is static, and makes the raw system
# calls of VMMs.  The other is this machine's QEMU as people start it.  A kernel that
# has guest_memfd without the flag will do: there the tests' own build of offmap does
# not ask for it.
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; clean_up; rm -rf "$WORK"; tap_exit $status' EXIT
unset MAKEFLAGS MAKELEVEL LD_PRELOAD
O=$WORK/o
VMM=$O/bin/run_vmm
QEMU=(qemu-system-x86_64 -accel kvm -nodefaults -display none -no-reboot)
PATIENCE=120

clean_up() {
	local pid
	for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null || :; done
}

build() { make -s -C "$TOP/vmm" O="$O" "$@"; }
run() { timeout -k 5 "$PATIENCE" "$OFFMAP" run "$@"; }

# gives STATUS TEXT command...: both have to fit; TEXT may be empty
gives() {
	local wanted=$1 text=$2 out status=0
	shift 2
	out=$("$@" 2>&1 </dev/null) || status=$?
	echo "$out"
	[ "$status" = "$wanted" ] || {
		echo "exit status $status, wanted $wanted"
		return 1
	}
	[ -z "$text" ] || grep -qe "$text" <<<"$out" || {
		echo "lacks: $text"
		return 1
	}
}

# does CLAIM CASE [option of offmap run]: of run_vmm
does() {
	local out status=0
	out=$(run "${@:3}" -- "$VMM" "$2" 2>&1) || status=$?
	case $status in
	0) tap_pass "$1" ;;
	77) skip "$1" "$out" ;;
	*) tap_fail "$1" "$out"$'\n'"exit status $status" ;;
	esac
}

soon() {
	local left=$((PATIENCE * 10))
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || {
			echo "waited for: $*"
			return 1
		}
		sleep 0.1
	done
}

# starts command...: in the background, in $PID, what it says in $WORK/said
starts() {
	# The background process may open the file late; until then old output is in it.
	: >"$WORK/said"
	"$@" >"$WORK/said" 2>&1 </dev/null &
	PID=$!
}
said() { grep -aq "$1" "$WORK/said"; }
# MiB of a process that are guest_memfd
protected_in() {
	local range what sum=0
	while read -r range what; do
		[[ $what != *kvm-gmem* ]] || sum=$((sum + 0x${range#*-} - 0x${range%-*}))
	done <"/proc/$1/maps"
	echo $((sum >> 20))
}
gone() { ! kill -0 "$1"; }
# The task of the process, which is the other one with its memory.
task_of() {
	local p
	for p in $(pgrep -x offmap-task); do
		if diff -q "/proc/$p/maps" "/proc/$1/maps" >/dev/null 2>&1; then echo "$p"; fi
	done
}
# The supervisor has the other end of the task's socket, and started just before it.
supervisor_of() {
	local task p best=
	task=$(task_of "$1")
	for p in $(pgrep -x offmap-run); do
		if [ -n "$(cat "/proc/$p/maps")" ] && [ "$p" -lt "$task" ]; then best=$p; fi
	done
	echo "$best"
}

# boots MACHINE OPTIONS...: SeaBIOS comes to its end, on protected memory
boots() { boots_to 'No bootable device' "$OFFMAP" run -- "${QEMU[@]}" -M "$@"; }

# boots_to TEXT command...: QEMU's SeaBIOS, or what it starts, says this
boots_to() {
	local text=$1 status=0
	shift
	rm -f "$WORK/bios"
	starts "$@" -m 256 -chardev "file,id=bios,path=$WORK/bios" \
		-device isa-debugcon,iobase=0x402,chardev=bios
	soon grep -aq "$text" "$WORK/bios" || status=1
	[ "$(protected_in "$PID")" -ge 255 ] || status=1
	cat "$WORK/said"
	kill -9 "$PID"
	wait "$PID" 2>/dev/null || :
	return $status
}

needs() {
	local name
	for name; do
		command -v "$name" >/dev/null || {
			why="$name is not installed"
			return 1
		}
	done
}

if ! build bin >"$WORK/log" 2>&1; then
	tap_fail "it builds" "$(cat "$WORK/log")"
	exit 0
fi
OFFMAP=$O/bin/offmap
if ! "$OFFMAP" probe >/dev/null 2>&1; then OFFMAP=$O/plain/offmap; fi
if ! reason=$("$OFFMAP" probe 2>&1); then
	skip "offmap run with this machine's KVM" "$(grep -m1 -o 'no: .*' <<<"$reason" || echo "$reason")"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	skip "offmap run with this machine's KVM" "not root"
	exit 0
fi

# the smallest 32-bit program: exit(0)
old() {
	printf '.globl _start\n_start: mov $1, %%eax; xor %%ebx, %%ebx; int $0x80\n' |
		gcc -m32 -nostdlib -static -x assembler -o "$WORK/old" - && "$WORK/old"
}
old 2>/dev/null || ln -sf "$(command -v true)" "$WORK/old"

does "a static VMM with raw system calls: its guest runs on protected memory" raw
does "behind an allowlist that kills" allowlist
does "vfork and clone children close their copy of the VM" children
does "a child makes a VM of its own, and has none of its parent's" fork
does "an address that was freed is used again" reuse
does "a VM has two descriptors" dup
does "the VMM closes all descriptors: its files are its own" closefrom
does "what was in the memory is not left behind" scrub
does "nor in a memfd" share_scrub --share-guest-memfd
does "children can read the memory, unless MADV_DONTFORK was set" dontfork
does "preallocated memory stays so, with its NUMA policy" prealloc
does "it stays on the node to which a wrapper is bound" on_node
does "the VMM locks all of its memory" locked
does "memory of huge pages is moved" hugetlb
does "memory that is given back is freed" discard
does "other memory is mapped over a slot" map_over
does "a VM is made anew with the same memory" new_vm
does "memory is the VMM's and the guest's by turns, while a vCPU runs" churn
does "the VMM changes its user" setuid
does "the first thread of the VMM ends before the others" first_thread_ends
does "the same, with shared memory" first_thread_ends_share --share-guest-memfd
does "signals without SA_RESTART" signals
does "a back end has the guest's memory by its descriptor" share --share-guest-memfd
does "int 0x80, x32 and odd requests do not get around it" around
does "nor does io_uring" uring
does "nor does it by the descriptor of the memory" uring_share --share-guest-memfd
does "process_madvise(2) discards nothing" process_madvise
does "no call maps other memory over a slot unseen" remap
does "mremap(2) lets guest memory neither grow nor be in two places" mremap
does "a forked child behind an allowlist of the calls that docs/vmm.md lists" fork_allowlist
does "a forked child behind a filter that refuses exit(2)" fork_no_exit

for call in clone mmap; do
	ok "a forked child behind a filter that refuses $call(2): no VM, and the call is named" \
		gives 0 "cannot start a task in its memory: $call: Operation not permitted" \
		run -- "$VMM" "fork_no_$call"
done

does "execve() waits for a thread that the supervisor is asked by" exec_waits

# children that are killed at any time, also in execve()
kills() {
	# shellcheck disable=SC2016
	gives 0 '' run -- sh -c '
		for i in $(seq 1000); do
			/bin/true &
			for j in $(seq $((i % 250))); do :; done
			kill -9 $!
			wait $!
		done
		exec "$1" raw' sh "$VMM"
}
ok "the parent of a child that is killed in execve() does not wait for ever" kills

ok "shared memory of System V: 125, with the reason" \
	gives 125 'shared mapping of /SYSV' run -- "$VMM" sysv
for case in unmapped unmapped_later unmapped_busy; do
	ok "other memory where a slot was unmapped ($case): 125, with the reason" \
		gives 125 'without MAP_FIXED' run -- "$VMM" $case
	ok "the same, permissive: the guest has it" \
		gives 0 'stays ordinary memory' run --permissive -- "$VMM" $case
done
claim="the same when the guest has run: it loses the slot, and that is said"
status=0
says=$(run -- "$VMM" unmapped_running 2>&1) || status=$?
case $status in
77) skip "$claim" "$says" ;;
*) like "$claim" "$status $says" '^0 .*slot 0 is gone from the guest' ;;
esac
ok "mappings that cannot be read: 125, with the reason" \
	gives 125 'mappings cannot be read' unshare -m "$OFFMAP" run -- "$VMM" no_maps
ok "a guest_memfd of the VMM's own: 125, with the reason" \
	gives 125 'guest_memfd of its own' run -- "$VMM" own_guest_memfd
ok "the same, permissive: the slot is refused" \
	gives 0 'the slot is refused' run --permissive -- "$VMM" own_guest_memfd
ok "guest memory that was moved: 125, with the reason" \
	gives 125 'a guest_memfd already' run -- "$VMM" moved
ok "a slot that cannot be: 125, with the reason" \
	gives 125 'a page can be in one slot only' run -- "$VMM" alias
ok "a back end that was forked has the memory: 125, with the reason" \
	gives 125 'shared memory that process [0-9]* has as well' run -- "$VMM" forked_back_end
ok "a back end that had the memory before: 125, with the reason" \
	gives 125 'shared memfd that process [0-9]* has already' \
	run --share-guest-memfd -- "$VMM" share_late
# asked CASE: how many calls of it the supervisor was asked for
asked() {
	run --verbose -- "$VMM" "$1" 2>&1 | sed -n 's/.* has made \([0-9]*\) calls .*ioctl 2.*/\1/p'
}
few=$(asked few_exits)
like "calls that were asked for are counted" "$few" '^[1-9][0-9]?$'
is "20000 times KVM_RUN are none of them" "$(asked many_exits)" "$few"
ok "no slot: nothing to say" gives 0 '' run -- "$VMM" no_slot
ok "no VM: 125, and it is said" gives 125 'no VM was made' run -- true
ok "a VM that cannot be made: 125, and it is said" gives 125 'no VM was made' run -- "$VMM" vm_fails
ok "no VM, and threads that end by exit(2): 125" gives 125 'no VM was made' run -- "$VMM" raw_exit
ok "no VM for 10 s: it is said while the VMM runs" gives 125 'has run for 10 s' run -- sleep 13
ok "no VM, permissive: it is said" gives 0 'no VM was made' run --permissive -- true
ok "no VM: an error of the VMM's own is kept" gives 42 'no VM was made' run -- sh -c 'exit 42'
ok "the VMM is killed by a signal" gives 137 '' run -- sh -c 'kill -9 $$'
ok "a wrapper in front of the VMM" gives 0 '' run -- sh -c "sh -c 'env $VMM raw' && true"
ok "in a pid namespace" gives 0 '' run -- unshare -pf --mount-proc "$VMM" raw
bare=(setpriv --inh-caps=-all --bounding-set=-all)
ok "without capabilities" gives 0 '' "${bare[@]}" "$OFFMAP" run -- "$VMM" raw
ok "without capabilities, locked memory: 125, with the reason" gives 125 RLIMIT_MEMLOCK \
	prlimit --memlock=8000000 "${bare[@]}" "$OFFMAP" run -- "$VMM" locked_short
ok "without capabilities, shared memory" gives 0 '' "${bare[@]}" "$OFFMAP" run -- "$VMM" scrub
if needs strace; then
	ok "under a debugger there is no VM" gives 1 'ptrace(2) is refused' \
		run -- strace -f -o /dev/null "$VMM" raw
else
	skip "under a debugger there is no VM" "$why"
fi
ok "a wrapper runs a 32-bit program" gives 0 '' run -- sh -c "$WORK/old && $VMM raw"
ok "the VMM has the pid that was started" gives 0 '' bash -c "
	$OFFMAP run -- $VMM pause >$WORK/said & pid=\$!
	until grep -q ready $WORK/said; do sleep 0.1; done
	grep -q kvm-gmem /proc/\$pid/maps; status=\$?
	kill -9 \$pid; exit \$status"

starts "$OFFMAP" run -- "$VMM" unplug
ok "memory that is unplugged" soon said unplugged
TASK=$(task_of "$PID")
memories() { find "/proc/$TASK/fd" -lname 'anon_inode:*kvm-gmem*' | wc -l; }
one_is_left() { [ "$(memories)" = 2 ]; }
ok "is freed when the VMM unmaps it" soon one_is_left
is "the task has two capabilities at most" \
	"$(sed -n 's/^CapEff:\t//p' "/proc/$TASK/status")" 0000000000004020
is "and a filter of its own" "$(sed -n 's/^Seccomp_filters:\t//p' "/proc/$TASK/status")" 2
is "the VMM is not traced" "$(sed -n 's/^TracerPid:\t//p' "/proc/$PID/status")" 0
kill -9 "$(supervisor_of "$PID")"
ok "the supervisor is killed: so is the VMM" soon gone "$PID"
ok "and the task ends" soon gone "$TASK"

starts "$OFFMAP" run -- "$VMM" pause
ok "another VMM" soon said ready
TASK=$(task_of "$PID")
kill -9 "$PID"
ok "is killed: so is its task" soon gone "$TASK"
starts "$OFFMAP" run -- "$VMM" pause
ok "a third one" soon said ready
kill -9 "$(task_of "$PID")"
ok "its task is killed: so is the VMM" soon gone "$PID"
# a wrapper puts the VMM into a cgroup, which pays for the guest's memory
memory_cgroup() {
	local root=/sys/fs/cgroup
	[ ! -e $root/memory/cgroup.procs ] || root=$root/memory
	CGROUP=$root/offmap-test-$$
	mkdir "$CGROUP" && [ -e "$(usage_file)" ]
}
usage_file() { find "$CGROUP" -name memory.current -o -name memory.usage_in_bytes; }
leave_cgroup() { rmdir "$CGROUP"; }
claim="the guest's memory is charged to the cgroup of the VMM"
if memory_cgroup 2>/dev/null; then
	starts "$OFFMAP" run -- sh -c 'echo $$ >"$1/cgroup.procs"; exec "$2" full' sh "$CGROUP" "$VMM"
	ok "a VMM in a cgroup of its own" soon said ready
	ok "$claim" test "$(cat "$(usage_file)")" -gt 8000000
	kill -9 "$PID"
	soon leave_cgroup
else
	skip "$claim" "there is no cgroup for memory"
fi
# as systemd stops a service: all of its processes get the signal
starts "$OFFMAP" run -- "$VMM" term
ok "a VMM that ends when it is asked to" soon said ready
others() {
	for signal in HUP INT QUIT USR1 USR2 TERM; do
		kill -"$signal" "$(supervisor_of "$PID")" "$(task_of "$PID")" || return 1
		sleep 0.2
	done
	kill -0 "$PID"
}
ok "goes on when supervisor and task get signals" others
kill -TERM "$PID"
status=0
wait "$PID" || status=$?
is "and ends with its own status when it gets SIGTERM" "$status" 0
ok "after all that it does at the end" said 'a clean end'

if ! needs qemu-system-x86_64; then
	skip "QEMU" "$why"
	exit 0
fi
ok "QEMU q35, as people write it" boots q35
ok "QEMU that is to have SMM refuses" gives 1 'System Management Mode not supported' \
	run -- "${QEMU[@]}" -M q35,smm=on
ok "QEMU microvm" boots microvm
ok "QEMU pc" boots pc
# the guest's first program writes through the window of VGA
vga() {
	gcc -m32 -nostdlib -static -Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none \
		-o "$WORK/vga" "$TOP/vmm/test/vga_modes.S" && truncate -s 1M "$WORK/vga" || return 1
	boots_to 'graphics work' "$OFFMAP" run --verbose -- "${QEMU[@]}" -M pc -device VGA \
		-drive "file=$WORK/vga,format=raw,snapshot=on" && said 'a0000-0xaffff of the first MiB'
}
ok "QEMU pc with VGA: text and graphics" vga
ok "QEMU with a private memfd" boots q35,memory-backend=ram \
	-object memory-backend-memfd,id=ram,size=256M,share=off
ok "QEMU with preallocated memory of a node" boots q35,memory-backend=ram \
	-object memory-backend-ram,id=ram,size=256M,prealloc=on,policy=bind,host-nodes=0
ok "QEMU locks its memory" boots pc -device VGA -overcommit mem-lock=on
ok "QEMU -sandbox on" boots q35 \
	-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
ok "QEMU drops its privileges" boots q35 -run-with user=nobody
tcmalloc=$(ldconfig -p | sed -n 's/.*libtcmalloc\(_minimal\)\?\.so\.4 .*=> //p' | head -n 1)
if [ -n "$tcmalloc" ]; then
	LD_PRELOAD=$tcmalloc ok "QEMU with tcmalloc" boots q35
else
	skip "QEMU with tcmalloc" "libtcmalloc is not installed"
fi
ok "QEMU with a shared memfd, as for vhost-user: 125, with the reason" \
	gives 125 'shared memfd, as for vhost-user' run -- "${QEMU[@]}" -M q35,memory-backend=ram -m 64 \
	-object memory-backend-memfd,id=ram,size=64M,share=on
# vhost-user-blk: the guest's first program says what is in the second sector
BACKED=(-object "memory-backend-memfd,id=ram,size=256M,share=on"
	-chardev "socket,id=disk,path=$WORK/disk.sock" -device "vhost-user-blk-pci,chardev=disk")
back_end() {
	{
		printf '\xfc\x31\xc0\x8e\xd8\x8e\xc0\xb8\x01\x02\xb9\x02\x00\xb6\x00\xbb\x00\x80'
		printf '\xcd\x13\xbe\x00\x80\xba\x02\x04\xac\x84\xc0\x74\x03\xee\xeb\xf8\xf4\xeb\xfd'
	} >"$WORK/disk"
	truncate -s 510 "$WORK/disk"
	printf '\x55\xaaread from the disk' >>"$WORK/disk"
	truncate -s 1M "$WORK/disk"
	qemu-storage-daemon --blockdev "driver=file,node-name=disk,filename=$WORK/disk" \
		--export "vhost-user-blk,id=disk,addr.type=unix,addr.path=$WORK/disk.sock,node-name=disk" \
		>"$WORK/back_end" 2>&1 &
	soon test -S "$WORK/disk.sock" || cat "$WORK/back_end"
}
for machine in q35 pc; do
	claim="QEMU $machine boots a disk of vhost-user-blk, with --share-guest-memfd"
	if ! needs qemu-storage-daemon; then
		skip "$claim" "$why"
		continue
	fi
	back_end
	DAEMON=$!
	ok "$claim" boots_to 'read from the disk' "$OFFMAP" run --share-guest-memfd -- \
		"${QEMU[@]}" -M "$machine,memory-backend=ram" "${BACKED[@]}"
	kill "$DAEMON" 2>/dev/null || :
done
truncate -s 64M "$WORK/ram"
ok "QEMU with a shared file: 125, with the reason" \
	gives 125 "shared mapping of $WORK/ram" run -- "${QEMU[@]}" -M q35,memory-backend=ram -m 64 \
	-object "memory-backend-file,id=ram,size=64M,mem-path=$WORK/ram,share=on"
ok "QEMU without -accel kvm: 125" gives 125 'no VM was made' bash -c "
	(sleep 1; echo quit) | timeout -k 5 $PATIENCE $OFFMAP run -- \
		qemu-system-x86_64 -M none -nodefaults -display none -monitor stdio"
ok "QEMU -daemonize: what waits for its output goes on" gives 0 '' bash -c "
	x=\$(timeout -k 5 $PATIENCE $OFFMAP run -- ${QEMU[*]} -S -M q35 -m 64 -daemonize \
		-pidfile $WORK/pid 2>&1) && grep -q kvm-gmem /proc/\$(cat $WORK/pid)/maps"
kill -9 "$(cat "$WORK/pid")"
if needs script; then
	ok "the terminal is as it was when the VMM is stopped" gives 0 ' icanon' script -qec "
		timeout --foreground -k 5 $PATIENCE $OFFMAP run -- ${QEMU[*]} -M q35,memory-backend=ram -m 64 \
			-serial mon:stdio -object memory-backend-memfd,id=ram,size=64M,share=on
		[ \$? = 125 ] && stty -a" /dev/null
else
	skip "the terminal is as it was when the VMM is stopped" "$why"
fi
