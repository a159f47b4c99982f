#!/bin/bash
# SPDX-License-Identifier: MIT
# make clean and make distclean remove what can be made again, and no work.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
OUT=$WORK/out
export OUT

left() { (cd "$OUT" && find . -type f | LC_ALL=C sort | tr '\n' ' '); }

mkdir -p "$OUT"/{build/x,logs,vmm-arm64,linux,downloads,bisect/{passed,linux},rebase/linux}
touch "$OUT"/{build/x/vmlinux,logs/log,vmm-arm64/offmap,linux/Makefile,downloads/linux.tar.xz} \
	"$OUT"/{bisect/passed/key,bisect/linux/Makefile,rebase/linux/Makefile,x.tmp}
ok "clean" "$TOP/lab/clean"
is "builds and logs are gone, and nothing else" "$(left)" \
	"./bisect/passed/key ./downloads/linux.tar.xz ./linux/Makefile ./rebase/linux/Makefile "
not_ok "distclean refuses while the series is being moved to another Linux" \
	"$TOP/lab/clean" all
is "nothing was removed" "$(left)" \
	"./bisect/passed/key ./downloads/linux.tar.xz ./linux/Makefile ./rebase/linux/Makefile "
rm -r "$OUT/rebase"
ok "distclean" "$TOP/lab/clean" all
is "all is gone" "$(left)" ""
