#!/bin/bash
# SPDX-License-Identifier: MIT
# T= chooses tests by words of their paths, and a word that no path has is an error.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT

# With a limit: what does not refuse goes on to everything.
front() {
	env -u MAKEFLAGS -u MFLAGS -u ARCH -u FLAVOUR OUT="$WORK" \
		timeout 10 make -s -C "$TOP" "$@"
}

# What would run, without running it.
chosen() { front -n "$@" | sed -n 's/.*test\/run //p'; }

is "one word" "$(chosen check T=hazards)" "test/boot/hazards.t"
is "two words" "$(chosen check T=oom_kill,hazards)" "test/boot/hazards.t test/boot/oom_kill.t"
is "two words of one path" "$(chosen check T=boot/haz,hazards)" "test/boot/hazards.t"
is "of one architecture" "$(chosen check ARCH=arm64 T=kunit)" "test/arm64/kunit.t"
is "in the debug kernel" "$(chosen check-debug T=hazards)" "test/boot/hazards.t"
for target in check check-debug; do
	like "$target: a word that no path has" "$(front "$target" T=hazards,no-such 2>&1 || :)" \
		"^offmap: error: no test has 'no-such' in its path"
done
