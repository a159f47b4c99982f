#!/bin/bash
# SPDX-License-Identifier: MIT
# lab/config refuses what Kconfig would drop, and leaves alone what is done.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tmp=$(mktemp -d)
trap 'status=$?; rm -rf "$tmp"; tap_exit $status' EXIT

# config LINE...: configures with more lines in a fragment.
config() {
	rm -rf "$tmp/kernel"
	mkdir "$tmp/kernel"
	cp -r "$TOP/kernel/config" "$tmp/kernel/"
	[ $# = 0 ] || printf '%s\n' "$@" >>"$tmp/kernel/config/test.config"
	OUT=$tmp/out SRC=$LINUX_TREE KERNEL_DIR=$tmp/kernel "$TOP/lab/config" default 2>&1
}

ok "the fragments are taken" config
file=$tmp/out/build/$ARCH-default/.config
touch -d '2001-01-01' "$file"
ok "a second run succeeds" config
is "and leaves .config as it was" "$(date -r "$file" +%Y)" 2001
says=$(config CONFIG_NO_SUCH_THING=y '# CONFIG_NOR_THAT is not set' || :)
like "unknown options are named, those that are to be off too" "$says" \
	'no option NOR_THAT NO_SUCH_THING'
says=$(config CONFIG_X86_SGX_KVM=y CONFIG_EVENTFD=n || :)
like "an option that lacks what it depends on is named" "$says" \
	'did not take: .*CONFIG_X86_SGX_KVM=y'
like "an option that another one selects is named" "$says" \
	'did not take: # CONFIG_EVENTFD is not set'
is "a refused configuration changes nothing" "$(date -r "$file" +%Y)" 2001
