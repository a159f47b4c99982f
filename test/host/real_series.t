#!/bin/bash
# SPDX-License-Identifier: MIT
# The series of this repository itself: apply, then export changes nothing.
# Works next to out/linux, on a clone that shares its objects.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

real=$OUT/linux
if [ ! -d "$real/.git" ]; then
	skip "the real series survives apply and export" "there is no out/linux: run 'make tree'"
	exit 0
fi
if [ ! -e "$TOP/kernel/series" ]; then
	not_ok "there is a kernel/series" true
	exit 0
fi

FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
export OUT=$FAKE/out KERNEL_DIR=$FAKE/kernel
mkdir "$OUT"
cp -a "$TOP/kernel" "$KERNEL_DIR"

# Two files are written out, of which one decides how diff names functions;
# the rest stays in the object store.
clone() {
	git clone -q --shared --no-checkout "$real" "$OUT/linux"
	git -C "$OUT/linux" sparse-checkout set --no-cone /Makefile /.gitattributes
	git -C "$OUT/linux" reset -q --hard base
}

# Let lab/tree find the base as the one it wants.
stamp() {
	sed -n '/^source=/p' "$real/.git/offmap-stamp" >"$OUT/linux/.git/offmap-stamp"
	git -C "$OUT/linux" rev-parse HEAD | sed 's/^/head=/' >>"$OUT/linux/.git/offmap-stamp"
}

ok "a clone of out/linux at its base" clone
ok "has a stamp" stamp
ok "the series applies" "$TOP/lab/tree"
is "with every step of kernel/series" \
	"$(git -C "$OUT/linux" rev-list --count base..HEAD)" "$(grep -c '^[^#]' "$KERNEL_DIR/series")"
is "of which the README has the number" \
	"$(sed -n 's/.*It is \([0-9]*\) patches for Linux.*/\1/p' "$TOP/README.md")" \
	"$(grep -c '^[^#]' "$KERNEL_DIR/series")"
ok "and is exported" "$TOP/lab/export"
ok "which changes nothing" diff -r "$TOP/kernel" "$KERNEL_DIR"
first=$(grep -m1 '^[^#]' "$KERNEL_DIR/series")
sed -i '0,/^+[^+]/s/^+[^+].*/&x/' "$KERNEL_DIR/patches/$first.patch"
ok "a changed patch applies" "$TOP/lab/tree"
ok "and is exported" "$TOP/lab/export"
not_ok "and the difference is seen" diff -rq "$TOP/kernel" "$KERNEL_DIR"
