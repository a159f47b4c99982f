# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# TAP for scenarios inside the lab VM: results to descriptor 3, output to the
# console.  Sourced by busybox sh.
#
#   t "claim" program args...   passes if the program exits 0, is skipped if it
#                               exits 4 as kselftests do; T= is its time limit
#   tap_limited SECONDS program args...
#                               in a function that t calls, which has no limit: gives
#                               137 if the program is not done by then
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

# tap_tasks SESSION: the folder of each of its threads in /proc, the thread's state,
# and its CPU time in ticks
tap_tasks() {
	for tap_task in /proc/[0-9]*/task/[0-9]*; do
		read -r tap_stat <"$tap_task/stat" || continue
		# the name before that may have anything in it
		# shellcheck disable=SC2086
		set -- "$1" ${tap_stat##*) }
		[ "$5" != "$1" ] || echo "$tap_task $2 $((${13} + ${14}))"
	done 2>/dev/null
}

# tap_clocks: what the clocks say, and how many interrupts of timers and of other CPUs
# each CPU has taken
tap_clocks() {
	echo "  ! date $(date +%s), uptime $(cat /proc/uptime)"
	grep -E '^ *(CPU0|LOC:|RES:|CAL:|IPI|[0-9]+:.*timer)' /proc/interrupts | sed 's/^/  !   /'
}

# tap_threads SESSION: writes a line for each of its threads to /tmp/tap.threads.  The
# kernel adds to the console where each CPU is.
tap_threads() {
	tap_clocks
	tap_tasks "$1" >/tmp/tap.before
	sleep 1
	tap_tasks "$1" >/tmp/tap.now
	tap_clocks
	while read -r tap_task tap_state tap_ticks; do
		tap_was=$(sed -n "s|^$tap_task . ||p" /tmp/tap.before)
		tap_what="${tap_task##*/} $(cat "$tap_task/comm"): $tap_state, $((tap_ticks - ${tap_was:-0})) ticks in 1 s"
		echo "  ! $tap_what, wchan $(cat "$tap_task/wchan"), system call $(cat "$tap_task/syscall")"
		grep ctxt_switches "$tap_task/status" | sed 's/^/  !   /'
		head -n 16 "$tap_task/stack" | sed 's/^/  !   /'
		tap_frames=$(sed 's/^[^ ]* //; s/+.*//' "$tap_task/stack" | head -n 3)
		# shellcheck disable=SC2086
		echo "$tap_what:" $tap_frames >>/tmp/tap.threads
	done </tmp/tap.now 2>/dev/null
	echo l >/proc/sysrq-trigger
}

# tap_watch SECONDS: ends what tap_limited runs, then
tap_watch() {
	trap 'kill $!; exit' TERM
	sleep "$1" &
	wait $!
	# all of it, if the program ends just now
	trap '' TERM
	echo "$1" >/tmp/tap.late
	echo "  ! not done after $1 s:"
	tap_threads "$(cat /tmp/tap.session)"
	kill -9 "-$(cat /tmp/tap.session)"
}

# tap_limited SECONDS program args...: its status; 137 if it was not done by then, with
# its threads on the console.  A session of its own, so that nothing which the program
# started stays behind.
tap_limited() {
	rm -f /tmp/tap.late /tmp/tap.threads /tmp/tap.session
	# what has the output of the program open keeps it from its end
	tap_watch "$1" </dev/null >/dev/console 2>&1 &
	tap_watcher=$!
	shift
	setsid sh -c 'echo $$ >/tmp/tap.session; exec "$@"' sh "$@"
	tap_status=$?
	kill $tap_watcher 2>/dev/null
	wait $tap_watcher 2>/dev/null
	kill -9 "-$(cat /tmp/tap.session)" 2>/dev/null
	return $tap_status
}

tap_run() {
	tap_limited "$(tap_limit)" "$@"
	echo $? >/tmp/tap.rc
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
	rm -f /tmp/tap.late /tmp/tap.threads
	tap_start=$(cut -d. -f1 /proc/uptime)
	"$tap_how" "$@" 3>&- </dev/null 2>&1 | tee /tmp/tap.out | sed 's/^/  | /'
	echo "# $TAP_COUNT took $(($(cut -d. -f1 /proc/uptime) - tap_start)) s"
	tap_report "$(cat /tmp/tap.rc)"
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
		if [ "$1" = 137 ] && [ -e /tmp/tap.late ]; then
			# with this one ten lines at most
			head -n 9 /tmp/tap.threads | sed 's/^/# /'
			echo "# killed: not done after $(cat /tmp/tap.late) s"
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

# Every page must be on the right side of the direct map.
NODIRMAP_CHECK=/sys/kernel/debug/nodirmap_check
check_ram() { tee /tmp/ram <$NODIRMAP_CHECK && grep -qx 'wrong 0' /tmp/ram; }

plan() {
	[ ! -e $NODIRMAP_CHECK ] || t "all of RAM is in the direct map or outside, as it has to be" check_ram
	echo "1..$TAP_COUNT" >&3
	[ "$TAP_FAILED" = 0 ]
}
