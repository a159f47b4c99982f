# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# TAP for tests on the host.  Sourced by test/*/*.t after `set -eu`; the plan is
# printed when the file ends well.
#
#   ok "claim" command...        the command succeeds
#   not_ok "claim" command...    the command fails (and is there)
#   is "claim" GOT WANTED        two strings are equal
#   like "claim" GOT REGEX       a string matches an extended regular expression
#   skip "claim" "reason"
#   boot_tap NAME [options of lab/boot] -- command...
#                                with STOP_AT_FAILURE the last one of a file if
#                                anything has failed by then
#   tried_again FILE             for a boot without boot_tap: what lab/boot says is there, and
#                                test/run counts second tries
#   boot_vmm NAME [options of lab/boot]
#                                the scenario of that name, with vmm/ and a kernel
#                                for its guests
#   two_nodes SIZE SIZE          for lab/boot -q: nodes of two CPUs each, of that memory
#   needs_bench "claim"          ends the file, skipped, without the tools of bench/
#   needs_bochs "claim"          the same without those of lab/bochs
#   unpacked SCRIPT "claim" "why" "claim"
#                                sets $unpacked to what lab/SCRIPT prints; else skips
#                                the first claim, or fails the second, and returns 1

# shellcheck source-path=SCRIPTDIR source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

TAP_COUNT=0
TAP_FAILED=0
# why there must be no plan: something did not come to its end
TAP_BROKEN=''
TAP_PLANNED=''

tap_pass() { TAP_COUNT=$((TAP_COUNT + 1)); echo "ok $TAP_COUNT - $1"; }

# tap_fail CLAIM [LINES [COUNT]]: the last COUNT (10) of LINES explain it.
tap_fail() {
	TAP_COUNT=$((TAP_COUNT + 1)) TAP_FAILED=$((TAP_FAILED + 1))
	echo "not ok $TAP_COUNT - $1"
	[ -z "${2:-}" ] || tail -n "${3:-10}" <<<"$2" | sed 's/^/# /'
}

ok() {
	local claim=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then tap_pass "$claim"
	else tap_fail "$claim" "$out"$'\n'"exit status $status of: $*"; fi
}

not_ok() {
	local claim=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	# 126 and 127: there was nothing to run
	case $status in
	0 | 126 | 127) tap_fail "$claim" "$out"$'\n'"exit status $status of: $*" ;;
	*) tap_pass "$claim" ;;
	esac
}

is() {
	if [ "$2" = "$3" ]; then tap_pass "$1"
	elif [[ $2$3 = *$'\n'* ]]; then
		tap_fail "$1" "$(diff -u --label got --label wanted <(echo "$2") <(echo "$3"))"
	else tap_fail "$1" "got:    $2"$'\n'"wanted: $3"; fi
}

like() {
	if [[ $2 =~ $3 ]]; then tap_pass "$1"
	else tap_fail "$1" "got:    $2"$'\n'"wanted: $3"; fi
}

skip() { TAP_COUNT=$((TAP_COUNT + 1)); echo "ok $TAP_COUNT - $1 # SKIP $2"; }

plan() {
	[ -z "$TAP_BROKEN" ] || { echo "# no plan: $TAP_BROKEN"; return 1; }
	[ -n "$TAP_PLANNED" ] || echo "1..$TAP_COUNT"
	TAP_PLANNED=yes
}

tap_exit() {
	[ "$1" = 0 ] || exit "$1"
	[ "$TAP_COUNT" -gt 0 ] || exit 0
	plan || exit 1
}
trap 'tap_exit $?' EXIT

# The guest's tests under our numbers; its plan has to fit them.
tap_guest() {
	local line count=0 planned='' rest
	while IFS= read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			count=$((count + 1)) TAP_COUNT=$((TAP_COUNT + 1))
			[ "${line%%ok *}" = '' ] || TAP_FAILED=$((TAP_FAILED + 1))
			rest=${line#*ok }
			echo "${line%%ok *}ok $TAP_COUNT ${rest#* }" ;;
		1..*) planned=${line#1..} ;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done <<<"$1"
	[ "$planned" = "$count" ] || TAP_BROKEN="planned ${planned:-nothing}, ran $count"
}

# a boot that was tried again shows, however it ended
tried_again() { sed -nE 's/^offmap: (.*tried once more.*)/# tried again: \1/p' "$1"; }

boot_tap() {
	local name=$1 out status=0 before=$TAP_BROKEN says
	shift
	says=$(mktemp)
	out=$("${LAB_BOOT:-$TOP/lab/boot}" -n "$name" "$@" 2>"$says") || status=$?
	TAP_BROKEN=''
	tried_again "$says"
	tap_guest "$out"
	[ -z "$TAP_BROKEN" ] || TAP_BROKEN="$name: $TAP_BROKEN"
	case $status in
	0) tap_pass "$name: kernel log is clean" ;;
	# with the lines of the kernel after a report
	126) tap_fail "$name: kernel log is clean" "$(cat "$says")" 60 ;;
	2 | 124 | 125) tap_fail "$name: the VM ends by itself" "$(cat "$says")" 60
		TAP_BROKEN="$name: $(grep '^offmap: ' "$says" | tail -n 1)" ;;
	*)	tap_pass "$name: kernel log is clean"
		grep -q '^not ok' <<<"$out" ||
			tap_fail "$name: the command succeeds" "$(cat "$says")"$'\n'"exit status $status" ;;
	esac
	rm -f "$says"
	TAP_BROKEN=${before:-$TAP_BROKEN}
	[ -z "${STOP_AT_FAILURE:-}" ] || [ "$TAP_FAILED" = 0 ] || exit 1
}

boot_vmm() {
	read_conf "$TOP/lab/arch/$ARCH.conf"
	if [ ! -x "$OUT/vmm/bin/offmap" ]; then
		tap_fail "vmm/ is built" "run 'make build'"
		exit 1
	fi
	boot_tap "$1" -r -m 2G -t 1200 "${@:2}" -- "/scenario/$1.sh" \
		"$OUT/vmm" "$OUT/build/$ARCH-default/${KERNEL_IMAGE:?}"
}

two_nodes() {
	printf '%s ' "-object memory-backend-ram,id=m0,size=$1" \
		"-object memory-backend-ram,id=m1,size=$2" \
		-numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1
}

needs_bench() {
	if ! command -v jq >/dev/null || ! command -v column >/dev/null; then
		skip "$1" "jq or column is missing: sudo make packages"
		exit 0
	fi
}

unpacked() {
	local status=0
	unpacked=$("$TOP/lab/$1") || status=$?
	case $status in
	0) return ;;
	4) skip "$2" "$3" ;;
	*) tap_fail "$4" ;;
	esac
	return 1
}

# a Bochs that cannot be fetched is a failure, which the boot shows
needs_bochs() {
	local status=0 says
	says=$("$TOP/lab/bochs" 2>&1) || status=$?
	[ "$status" = 4 ] || return 0
	skip "$1" "${says#offmap: error: }"
	exit 0
}
