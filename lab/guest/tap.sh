# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# TAP for scenarios inside the lab VM: results to descriptor 3, output to the
# console.  Sourced by busybox sh.
#
#   t "claim" program args...   passes if the program exits 0, is skipped if it
#                               exits 4 as kselftests do; T= is its time limit
#   skip "claim" "reason"
#   gives STATUS TEXT program args...   0 if it exits so and says what TEXT matches
#   plan                        the last call: 1..N, after a look at all of RAM
#
# Lines go to descriptor 3 by echo: printf gives up on a write that SIGCHLD cuts short.

TAP_COUNT=0
TAP_FAILED=0
# how much slower than usual this kernel is, see lab/boot
TAP_SLOW=$(sed -n 's/^SLOW=//p' /.lab/settings)

tap_limit() { echo $((${T:-60} * ${TAP_SLOW:-1})); }

# A session of its own, so that nothing which the program started stays behind.
tap_run() {
	setsid sh -c 'echo $$ >/tmp/tap.pid; exec timeout -s KILL "$@"' sh "$(tap_limit)" "$@"
	echo $? >/tmp/tap.rc
	kill -9 -- "-$(cat /tmp/tap.pid)" 2>/dev/null
}

# A shell function cannot be given a time limit; that of the boot holds.
tap_call() {
	("$@")
	echo $? >/tmp/tap.rc
}

t() {
	tap_claim=$1
	shift
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "# $TAP_COUNT - $tap_claim: $*"
	tap_how=tap_run
	case $(type "$1" 2>/dev/null) in *function*) tap_how=tap_call ;; esac
	echo 255 >/tmp/tap.rc
	tap_start=$(cut -d. -f1 /proc/uptime)
	"$tap_how" "$@" 3>&- </dev/null 2>&1 | tee /tmp/tap.out | sed 's/^/  | /'
	tap_took=$(($(cut -d. -f1 /proc/uptime) - tap_start))
	echo "# $TAP_COUNT took $tap_took s"
	tap_report "$(cat /tmp/tap.rc)" $tap_took
}

tap_report() {
	case $1 in
	0)
		echo "ok $TAP_COUNT - $tap_claim" >&3
		return
		;;
	4)
		echo "ok $TAP_COUNT - $tap_claim # SKIP $(tail -n 1 /tmp/tap.out)" >&3
		return
		;;
	esac
	TAP_FAILED=$((TAP_FAILED + 1))
	{
		tail -n 10 /tmp/tap.out | sed 's/^/# /'
		if [ "$1" = 137 ] && [ "$2" -ge "$(tap_limit)" ]; then
			echo "# killed: not done after $(tap_limit) s"
		else
			echo "# exit status $1"
		fi
		echo "not ok $TAP_COUNT - $tap_claim"
	} >&3
	echo "# not ok $TAP_COUNT - $tap_claim (exit status $1)"
}

gives() {
	wanted=$1 text=$2
	shift 2
	"$@" >/tmp/gives 2>&1
	status=$?
	cat /tmp/gives
	[ "$status" = "$wanted" ] && grep -q "$text" /tmp/gives
}

skip() {
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $1 # SKIP $2" >&3
}

# Every page is on the side of the direct map where it has to be.
NODIRMAP_CHECK=/sys/kernel/debug/nodirmap_check
check_ram() { tee /tmp/ram <$NODIRMAP_CHECK && grep -qx 'wrong 0' /tmp/ram; }

plan() {
	[ ! -e $NODIRMAP_CHECK ] || t "all of RAM is in the direct map or outside, as it has to be" check_ram
	echo "1..$TAP_COUNT" >&3
	[ "$TAP_FAILED" = 0 ]
}
