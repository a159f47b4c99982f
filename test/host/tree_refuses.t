#!/bin/bash
# SPDX-License-Identifier: MIT
# A kernel/ that does not fit together is refused by name, and the tree that
# was there stays.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

refused() {
	ok "$1" says "$2" "$TOP/lab/tree"
	is "$1: the tree stays" "$(fake_git rev-parse HEAD)$(fake_git status --porcelain)" "$good"
	rm -rf "$KERNEL_DIR"
	cp -a "$FAKE/good" "$KERNEL_DIR"
}

fake_linux "$FAKE/src"
fake_kernel
"$TOP/lab/tree" 2>/dev/null
fake_steps
"$TOP/lab/export" 2>/dev/null
good=$(fake_git rev-parse HEAD)
cp -a "$KERNEL_DIR" "$FAKE/good"

sed -i 's/^-30$/-31/' "$KERNEL_DIR/patches/two.patch"
refused "a patch that does not apply" "step two does not apply to Linux 7.3.4: patch failed: mm/one.c:"
rm "$KERNEL_DIR/patches/one.patch"
refused "a step without a patch" "no kernel/patches/one.patch"
rm "$KERNEL_DIR/tree/mm/tests/new.c"
refused "a new file that is missing" "no kernel/tree/mm/tests/new.c"
touch "$KERNEL_DIR/tree/mm/stray.c"
refused "a file of no step" "kernel/tree/mm/stray.c is not in the New-files trailer"
cp "$KERNEL_DIR/patches/one.patch" "$KERNEL_DIR/patches/stray.patch"
refused "a patch of no step" "kernel/patches/stray.patch is not in kernel/series"
echo one >>"$KERNEL_DIR/series"
refused "a step named twice" "names one twice"
sed -i 's/^Step: one$/Step: uno/' "$KERNEL_DIR/patches/one.patch"
refused "a trailer of another name" "'Step: one'"
sed -i 's,^New-files: .*new.c,New-files: mm/one.c,' "$KERNEL_DIR/patches/two.patch"
cp "$KERNEL_DIR/patches/two.patch" "$KERNEL_DIR/tree/mm/one.c"
refused "a new file that Linux has" "mm/one.c, which is there already"
printf '%s\n' 'diff --git a/mm/add.c b/mm/add.c' 'new file mode 100644' \
	'--- /dev/null' '+++ b/mm/add.c' '@@ -0,0 +1 @@' '+x' >>"$KERNEL_DIR/patches/one.patch"
refused "a patch that adds a file" "one.patch adds mm/add.c: that belongs in kernel/tree"
sed -i '/^diff/,$d' "$KERNEL_DIR/patches/one.patch"
refused "a patch that does nothing" "one.patch changes nothing"
echo >"$KERNEL_DIR/patches/one.patch"
refused "a patch that is empty" "patches/one.patch"
ok "the series as it was still applies" "$TOP/lab/tree"

rm -rf "$L"
mkdir "$L"
ok "a folder that is not ours is not touched" says "not a git tree of this lab" "$TOP/lab/tree"
