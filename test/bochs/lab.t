#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/boot under Bochs tells the ends of a boot apart, and refuses what Bochs lacks.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

# boots NAME [options] -- command: leaves $status, $out and $says
boots() {
	status=0
	out=$("$TOP/lab/boot" -n "bochs_$1" -m 256M "${@:2}" 2>"$tmp/says") || status=$?
	says=$(cat "$tmp/says")
}

for option in "-q -S" -r -s "-p max" -1 -I; do
	# shellcheck disable=SC2086
	boots refused -b intel $option -- true
	like "no $option" "$status $says" \
		"^2 offmap: error: lab/boot: -b and ${option%% *}: Bochs [^"$'\n'"]*$"
done
boots refused -b via -- true
like "no other vendor" "$status $says" '^2 offmap: error: lab/boot: -b via: '
boots refused -b intel -c 4,sockets=2 -- true
like "no sockets" "$status $says" '^2 offmap: error: lab/boot: -b and -c 4,sockets=2: '

needs_bochs "boots under Bochs"
# Bochs skips the time in which all CPUs are idle
SILENCE=5 boots limit -b intel -t 10 -- sh -c 'while :; do :; done'
is "the time limit ends a boot" "$status" 124
like "and says so" "$says" 'not done after 10 s'

# shellcheck disable=SC2016
boots report -b intel -- sh -c 'printf "%s|" "$@" >&3
	echo "WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2" >/dev/kmsg; exit 7' sh "it's" '$x' ''
is "arguments arrive word for word, and descriptor 3 is the result" "$out" "it's|\$x||"
like "a report in the kernel log fails the boot" "$status $says" '^126 .*the kernel log has'

boots lost -b intel -- sh -c 'echo gone >&3; sleep 1; echo b >/proc/sysrq-trigger'
like "a reset is the end, and without a status the VM is lost" "$status $out" '^125 gone'
