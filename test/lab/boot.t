#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/boot tells a command's end from all the other ways a boot can end.
# Waits: for the time limits of boots that do nothing
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

# boots NAME [options] -- command: leaves $status, $out and $says
boots() {
	status=0
	out=$("$TOP/lab/boot" -n "lab_$1" "${@:2}" 2>"$tmp/says") || status=$?
	says=$(cat "$tmp/says")
}

# shellcheck disable=SC2016
KERNEL_PARAMS=lab.all=1 boots status -a lab.this=1 -- sh -c 'printf "%s|" "$@" >&3; echo no result; exit 7' sh 'a b' "it's" '$x' ''
is "the command's status is the boot's" "$status" 7
is "arguments arrive word for word, and only descriptor 3 is the result" \
	"$out" "a b|it's|\$x||"
is "a boot that goes well says nothing" "$says" ""
ok "the kernel gets the words of KERNEL_PARAMS and of -a" \
	grep -q 'Command line: .* lab\.all=1.* lab\.this=1[[:space:]]*$' "$OUT/logs/lab_status/console.log"

# shellcheck disable=SC2016
boots tap -- sh -c '. /tap.sh
	t "good" true
	t "bad" sh -c "echo why; exit 3"
	t "not here" sh -c "echo reason; exit 4"
	T=2 t "too long" sleep 60
	skip "other" "no disk"
	plan'
numbers='s/^# [0-9]+ sleep: S, [0-9]+ ticks in 1 s: (hrtimer_nanosleep) [^#]*$/# PID sleep: S, N ticks in 1 s: \1 .../'
is "tap.sh reports each kind of end" "$(sed -E "$numbers" <<<"$out")" "$(
	cat <<'END'
ok 1 - good
# why
# exit status 3
not ok 2 - bad
ok 3 - not here # SKIP reason
# Killed
# PID sleep: S, N ticks in 1 s: hrtimer_nanosleep ...
# killed: not done after 2 s
not ok 4 - too long
ok 5 - other # SKIP no disk
ok 6 - all of RAM is in the direct map or outside, as it has to be
1..6
END
)"
ok "the output of each command is on the console" \
	grep -q '^  | why' "$OUT/logs/lab_tap/console.log"
is "a scenario with a failed test fails" "$status" 1
for word in '  ! not done after 2 s:' 'wchan hrtimer_nanosleep' '  !   voluntary_ctxt_switches:' \
	'  !   .*__x64_sys_clock_nanosleep+' 'sysrq: Show backtrace of all active CPUs'; do
	ok "what was too slow is on the console: '$word'" grep -q "$word" "$OUT/logs/lab_tap/console.log"
done
# shellcheck disable=SC2016
boots tap_limit -- sh -c '. /tap.sh
	threads() { tap_limited 3 sh -c "echo working; sleep 60 & while :; do :; done"; }
	t "in a function" threads
	quick() { tap_limited 60 echo done; }
	t "in time" quick
	usleep 500000
	echo "left: $(pidof sleep)" >&3
	plan'
like "a limit inside a function kills the same way, and names all threads" "$out" \
	$'^# working\n(# Killed\n)?(# [0-9]+ sleep: S, [^\n]*\n)?# [0-9]+ sh: R, [1-9][0-9]* ticks in 1 s:[^\n]*\n'
like "one that is in time passes, and nothing is left" "$out" \
	$'# killed: not done after 3 s\nnot ok 1 - in a function\nok 2 - in time\nleft: \nok 3 - all of RAM [^\n]*\n1..3$'

boots silent -- sh -c 'echo "ok 1 - a" >&3; echo 1..1 >&3; poweroff -f'
is "an end without a status is a lost VM" "$status" 125

SILENCE=20 boots limit -t 15 -- sleep 600
is "the time limit ends a boot that is silent" "$status" 124
like "and says so" "$says" 'not done after 15 s, and silent for 20 s'
# shellcheck disable=SC2016
boots slow -t 15 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 2; echo $i; done; echo done >&3'
is "one that moves on takes the time that it needs" "$status $out" "0 done"
is "the time limit is not its end" "$says" ""
boots endless -t 5 -- sh -c 'while sleep 1; do echo; done'
like "but not for ever" "$status $says" '^124 .*not done after 20 s'

SILENCE=4 boots stuck -q -S -- true
like "a kernel that does not come to /init is a lost VM, at once" "$status $says" \
	'^125 .*VM lost: no sign of life for 4 s[^'$'\n'']*$'
ok "its processors are on record" grep -q 'CPU#1' "$OUT/logs/lab_stuck/console.log"
like "and in the message" "$says" 'CPU 0: EIP=.*CPU 1: EIP='

SILENCE=6 boots pulse -- sh -c 'sleep 3; killall -STOP heartbeat; exec sleep 600'
like "one that stops to beat later is, too" "$status $says" '^125 .*no sign of life'
for word in 'CPU#1' 'dumping local APIC state for CPU 1' 'sysrq: Show State' 'task:sleep '; do
	ok "its log has '$word'" grep -q "$word" "$OUT/logs/lab_pulse/console.log"
done
is "it is not tried again" "$(find "$OUT/logs/lab_pulse" -name 'stuck*')" ""
SILENCE=15 boots alive -- sleep 40
is "silence alone does not make it one" "$status" 0

# What QEMU's fault looks like: a processor is halted, and has an interrupt to take.  A
# stopped VM takes none; the keys come from outside, as interrupts to the first processor.
stop_while_idle() {
	local logs=$OUT/logs/lab_lost times=$1
	for (( ; times > 0; times--)); do
		until grep -qs 'it is idle' "$logs/console.log"; do sleep 0.5; done
		"$TOP/test/monitor" "$tmp/stop" stop
		printf 'xxxxxxxxxxxxxxxx' 1<>"$logs/keys"
		while grep -qs 'it is idle' "$logs/console.log"; do sleep 0.5; done
	done
}

# lost TIMES [BESIDE] [options]: in so many boots, while that command runs
lost() {
	local watcher
	rm -rf "$OUT/logs/lab_lost"
	stop_while_idle "$1" &
	watcher=$!
	SILENCE=16 boots lost -q "-chardev socket,id=stop,path=$tmp/stop,server=on,wait=off \
-mon chardev=stop,mode=control" "${@:3}" -- sh -c "cd /proc/irq && echo 1 | tee */smp_affinity >/dev/null
		${2:-:} & sleep 3; killall -STOP heartbeat; echo it is idle
		sleep 8; killall -CONT heartbeat; echo it goes on"
	kill $watcher 2>/dev/null || :
	wait $watcher || :
}
busy='while :; do :; done'
lost 1 "exec taskset 2 sh -c '$busy'"
is "a boot in which QEMU lost an interrupt is tried again" "$status" 0
like "which shows" "$says" '^offmap: lab_lost: QEMU lost an interrupt .tried once more.;[^'$'\n'']*$'
ok "with the first console" grep -q 'it is idle' "$OUT/logs/lab_lost/stuck.1"
ok "and its processors, twice" \
	[ "$(grep -c '^IRR.*[0-9]' "$OUT/logs/lab_lost/stuck.1")" -ge 2 ]
ok "of which one did not wait" grep -q 'HLT=0' "$OUT/logs/lab_lost/stuck.1"
lost 2
like "once only" "$status $says" '^125 .*tried once more.*CPU 0: [^'$'\n'']* halted.* pending: .*no sign of life'
lost 1 "exec sh -c '$busy'" -c 1
is "a processor that runs outside the kernel has the same fault" "$status" 0
like "which shows, too" "$says" '^offmap: lab_lost: QEMU lost an interrupt .tried once more.;[^'$'\n'']*$'
like "with its place" "$(grep -h '^RIP' "$OUT/logs/lab_lost/stuck.1")" '^RIP=0000'
# a second processor could have an interrupt at the moment when the VM is stopped
lost 1 "exec dd if=/dev/zero of=/dev/null bs=512M" -c 1
like "a processor that runs in the kernel is no such fault" "$status $says" \
	'^125 .*CPU 0: [RE]IP=[0-9a-f]* pending: .*no sign of life'
is "which is not tried again" "$(find "$OUT/logs/lab_lost" -name 'stuck*')" ""

# what KVM's selftests say, in their words
boots shutdown -a pti=on -- sh -c 'echo "  Unexpected exit: SHUTDOWN"; exit 254'
is "a guest that is shut down each time fails the command" "$status" 1
like "after a second try" "$says" 'QEMU shut a guest inside down .tried once more.'
is "and not a third" "$(grep -c 'tried once more' <<<"$says")" 1
ok "the console of the first is kept" grep -q 'exit: SHUTDOWN' "$OUT/logs/lab_shutdown/shutdown.1"
boots shutdown_no_pti -- sh -c 'echo "  Unexpected exit: SHUTDOWN"; exit 254'
like "without pti=on it fails at once" "$status $says" \
	'^1 offmap: [^'$'\n'']*: the command ended with status 254;[^'$'\n'']*$'
boots shutdown_1 -1 -a pti=on -- sh -c 'echo "  Unexpected exit: SHUTDOWN"; exit 254'
like "so it does with one thread" "$status $says" \
	'^1 offmap: [^'$'\n'']*: the command ended with status 254;[^'$'\n'']*$'
boots shutdown_warn -a pti=on -- sh -c 'echo "  Unexpected exit: SHUTDOWN"
	echo "WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2" >/dev/kmsg; exit 254'
like "and one beside which the kernel log has a report" "$status $says" \
	'^126 offmap: [^'$'\n'']*: the kernel log has:[^'$'\n'']*('$'\n''  \[[^'$'\n'']*)*$'
boots shutdown_fine -a pti=on -- echo "Wanted KVM exit reason: 2 (IO), got: 8 (SHUTDOWN)"
is "a command that succeeds is not tried again" "$status $says" "0 "

# instead NAME TIMES COMMAND: boots with a QEMU that so many times does that instead, once
# it has left a result and the console $tmp/console
mkdir "$tmp/instead"
instead() {
	local logs=$OUT/logs/lab_$1
	seq "$2" >"$tmp/left"
	cat >"$tmp/instead/qemu-system-x86_64" <<-END
		#!/bin/sh
		[ "\$1" != --version ] && [ -s "$tmp/left" ] || exec $(command -v qemu-system-x86_64) "\$@"
		sed -i 1d "$tmp/left"
		: >"$logs/result"
		cp "$tmp/console" "$logs/console.log"
		$3
	END
	chmod +x "$tmp/instead/qemu-system-x86_64"
	PATH=$tmp/instead:$PATH boots "$1" -- true
}

echo booting >"$tmp/console"
# shellcheck disable=SC2016
abort='echo "qemu: system/physmem.c:1: iotlb_to_section: Assertion failed." >&2; kill -ABRT $$'
instead aborted 1 "$abort"
is "a boot in which an assertion of QEMU failed is tried again" "$status" 0
like "which shows, too" "$says" 'an assertion of QEMU failed .tried once more.'
instead aborted_twice 2 "$abort"
like "that is not tried a third time" "$status $says" '^125 .*tried once more.*ended without a word'

cat >"$tmp/console" <<-'END'
	[    3.199057] kvm [81]: vcpu0, guest rIP: 0xffffffff812063c4
	[    1.523645] traps: PANIC: double fault, error_code: 0x0
	[    4.122277] ------------[ cut here ]------------
END
instead strayed 1 :
is "a boot that has had an exception of a guest is tried again" "$status" 0
like "which shows, too" "$says" 'QEMU gave an exception of a guest inside to the kernel .tried once more.'
sed -i '3s/4\.12/1.52/' "$tmp/console"
instead no_stray 1 :
like "a guest's own console is no reason" "$status $says" '^12[56] [^'$'\n'']*(VM lost|kernel log)'

# a kernel that is not what was built last
own=$tmp/out/build/x86_64-default
mkdir -p "$own/include/generated"
for file in arch initramfs.cpio; do ln -s "$OUT/build/x86_64-default/$file" "$own/"; done
echo '#define UTS_VERSION "#0 SMP"' >"$own/include/generated/utsversion.h"
OUT=$tmp/out boots other -- true
like "a kernel of another build is an error" "$status $says" \
	'^2 offmap: error: lab_other: the kernel that booted is not the one[^'$'\n'']*$'

boots nokvm -q '-cpu qemu64,-svm' -- true
is "no KVM inside is an error" "$status" 2
like "which is named in one line" "$says" '^offmap: error: [^'$'\n'']*no /dev/kvm[^'$'\n'']*$'

mkdir -p "$OUT/logs/lab_taken"
exec {lock}>"$OUT/logs/lab_taken/lock"
flock "$lock"
boots taken -- true
is "a second boot of the same name is an error" "$status" 2
like "which says what to do" "$says" '^offmap: error: lab_taken: another boot [^'$'\n'']* -n$'
exec {lock}>&-

mkdir "$tmp/bin"
printf '#!/bin/sh\necho "QEMU emulator version 7.2.19 (Debian)"\n' >"$tmp/bin/qemu-system-x86_64"
chmod +x "$tmp/bin/qemu-system-x86_64"
PATH=$tmp/bin:$PATH boots oldqemu -- true
like "an old QEMU is refused in one line" "$status $says" \
	'^2 offmap: error: [^'$'\n'']* 7 is too old[^'$'\n'']*$'
printf '#!/bin/sh\nexit 127\n' >"$tmp/bin/qemu-system-x86_64"
PATH=$tmp/bin:$PATH boots noqemu -- true
like "a missing QEMU is refused in one line" "$status $says" \
	'^2 offmap: error: [^'$'\n'']*missing[^'$'\n'']*$'
boots nokernel -f base -i "$tmp/nothere" -- true
like "a missing image is refused in one line" "$status $says" '^2 offmap: error: [^'$'\n'']*$'
