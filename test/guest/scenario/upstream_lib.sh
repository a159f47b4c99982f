# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# Selftests of upstream fail at times, as those that measure time do on a busy machine.
# Sourced by scenarios after /tap.sh, and by test/host/upstream.t.

# So many tests of a boot may run twice: more are no accident.
TWICE_MAX=3
# a comment for each of them
TWICE=${TWICE:-/tmp/twice}
: >"$TWICE"

# word STATUS
word() {
	case $1 in
	0) echo pass ;;
	4) echo skip ;;
	137) echo timeout ;;
	*) echo fail ;;
	esac
}

# may_run_twice NAME WHY
may_run_twice() {
	twice=$(grep -c '^# run twice: ' "$TWICE")
	if [ "$twice" -ge "$TWICE_MAX" ]; then
		echo "# not run twice, as $twice were: $1: $2" >>"$TWICE"
		return 1
	fi
	echo "# run twice: $1: $2 ($((twice + 1)) of $TWICE_MAX)" >>"$TWICE"
}

# upstream RESULT NAME program args...: sets $result to the word for its end.  What ends in
# another way than RESULT runs a second time: the series breaks a test twice.  A test that
# hangs is not asked again.
upstream() {
	upstream_wanted=$1 upstream_name=$2
	shift 2
	"$@"
	result=$(word $?)
	case $result in "$upstream_wanted" | timeout) return ;; esac
	may_run_twice "$upstream_name" "$result, not $upstream_wanted" || return 0
	"$@"
	result=$(word $?)
}

# For the result of the boot.  t closes descriptor 3, so this is not for a function that
# it calls.
show_twice() { cat "$TWICE" >&3; }
