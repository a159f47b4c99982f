#!/bin/bash
# SPDX-License-Identifier: MIT
# A build that is killed leaves nothing behind that works on, or holds its lock.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

FAKE=$(mktemp -d)
trap 'status=$?; kill "$(cat "$STARTED" 2>/dev/null)" 2>/dev/null || :; rm -rf "$FAKE"; tap_exit $status' EXIT
export OUT=$FAKE/out CCACHE_DIR=$FAKE/ccache
LOCK=$OUT/build/$ARCH-default/.lock
mkdir "$FAKE/src"
# a compiler that takes its time, below a make below a make
printf '%s\n' headers: $'\t@$(MAKE) -s -f $(firstword $(MAKEFILE_LIST)) compile' \
	compile: $'\t@echo $$$$ >$(STARTED); exec sleep 60' >"$FAKE/src/Makefile"
export STARTED=$FAKE/started

free() { flock -n "$LOCK" true; }
gone() { ! kill -0 "$(cat "$STARTED")" 2>/dev/null; }
# within a minute
soon() {
	local left
	for ((left = 300; left > 0; left--)); do
		! "$@" || return 0
		sleep 0.2
	done
	return 1
}

for signal in TERM KILL; do
	rm -f "$STARTED"
	SRC=$FAKE/src "$TOP/lab/build" headers 2>"$FAKE/says" &
	build=$!
	ok "a build runs" soon test -s "$STARTED"
	not_ok "and has the lock" free
	kill -"$signal" $build
	wait $build 2>/dev/null || :
	ok "SIG$signal: the lock is free" soon free
	ok "SIG$signal: the compiler is gone" soon gone
done
