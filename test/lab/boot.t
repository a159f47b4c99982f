#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/boot tells a command's end from all the other ways a boot can end.
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
boots status -- sh -c 'printf "%s|" "$@" >&3; echo no result; exit 7' sh 'a b' "it's" '$x' ''
is "the command's status is the boot's" "$status" 7
is "arguments arrive word for word, and only descriptor 3 is the result" \
	"$out" "a b|it's|\$x||"
is "a boot that goes well says nothing" "$says" ""

# shellcheck disable=SC2016
boots tap -- sh -c '. /tap.sh
	t "good" true
	t "bad" sh -c "echo why; exit 3"
	t "not here" sh -c "echo reason; exit 4"
	T=2 t "too long" sleep 60
	skip "other" "no disk"
	plan'
is "tap.sh reports each kind of end" "$out" "$(cat <<'END'
ok 1 - good
# why
# exit status 3
not ok 2 - bad
ok 3 - not here # SKIP reason
# Killed
# killed: not done after 2 s
not ok 4 - too long
ok 5 - other # SKIP no disk
1..5
END
)"
ok "the output of each command is on the console" \
	grep -q '^  | why' "$OUT/logs/lab_tap/console.log"
is "a scenario with a failed test fails" "$status" 1

boots silent -- sh -c 'echo "ok 1 - a" >&3; echo 1..1 >&3; poweroff -f'
is "an end without a status is a lost VM" "$status" 125

boots limit -t 15 -- sleep 600
is "the time limit ends a boot" "$status" 124
like "and says so" "$says" 'not done after 15 s'

SILENCE=3 boots stuck -q -S -- true
is "a kernel that does not come to /init is a lost VM" "$status" 125
like "after three tries" "$says" 'try 3 of 3.*stuck, three times'
ok "its processors are on record" grep -q 'CPU#1' "$OUT/logs/lab_stuck/stuck.3"

SILENCE=6 boots pulse -- sh -c 'sleep 5; killall -STOP heartbeat; sleep 600'
is "one that stops to beat later is, too" "$status" 125
like "after three tries" "$says" 'try 3 of 3.*stuck, three times'
SILENCE=5 boots alive -- sleep 20
is "silence alone does not make it one" "$status" 0

# what KVM's selftests say, in their words
boots shutdown -- sh -c 'echo "  Unexpected exit: SHUTDOWN"; exit 254'
is "a guest that is shut down each time fails the command" "$status" 1
like "after a second try" "$says" 'a guest inside was shut down .tried once more.'
is "and not a third" "$(grep -c 'was shut down' <<<"$says")" 1
ok "the console of the first is kept" grep -q 'exit: SHUTDOWN' "$OUT/logs/lab_shutdown/shutdown.1"
boots shutdown_warn -- sh -c 'echo "  Unexpected exit: SHUTDOWN"
	echo "WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2" >/dev/kmsg; exit 254'
like "nor one beside which the kernel log has a report" "$status $says" \
	'^126 offmap: [^'$'\n'']*: the kernel log has:[^'$'\n'']*$'
boots shutdown_fine -- echo "Wanted KVM exit reason: 2 (IO), got: 8 (SHUTDOWN)"
is "a command that succeeds is not tried again" "$status $says" "0 "

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
