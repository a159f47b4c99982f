#!/bin/bash
# SPDX-License-Identifier: MIT
# No data races in what the series brings: for `make check-kcsan`, on a kernel
# with KCSAN.  Linux has races of its own, so only our functions are watched.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

DIR=$OUT/build/$ARCH-${FLAVOUR:-default}

# Functions of the files that the series adds, as they are after inlining.
functions() {
	sed -n 's/^New-files: *//p' "$TOP"/kernel/patches/*.patch |
		sed -nE '/^(mm|virt|arch)\/.*\.c$/p' | grep -v _kunit | while read -r file; do
		[ ! -e "$DIR/${file%.c}.o" ] || nm "$DIR/${file%.c}.o"
	done | sed -nE 's/^[0-9a-f]+ [tT] ([a-z_][a-z0-9_]*)$/\1/p' |
		grep -vE '^(__pfx_|_sub_|__cfi_)' | sort -u
}

mapfile -t watched <<<"$(functions)"
ok "there are functions to watch" test "${#watched[@]}" -gt 50
boot_tap kcsan -c 4 -m 1G -t 300 -- /scenario/kcsan.sh "${watched[@]}"
