#!/bin/bash
# SPDX-License-Identifier: MIT
# LINUX= takes Linux as released, by the name that it has in Debian's source package.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

fake_kernel
fake_linux "$FAKE/linux-7.3.4"
export LINUX=$FAKE/linux_7.3.4.orig.tar.xz
tar -cJf "$LINUX" -C "$FAKE" linux-7.3.4
ok "a tree is made of it" "$TOP/lab/tree"
ok "with its files" cmp "$FAKE/linux-7.3.4/mm/one.c" "$L/mm/one.c"
like "and its release" "$(fake_git log -1 --format=%s base)" '7\.3\.4'
sed -i 's/^SUBLEVEL.*/SUBLEVEL = x/; s/^VERSION.*/VERSION = 8/' "$FAKE/linux-7.3.4/Makefile"
tar -cJf "$LINUX" -C "$FAKE" linux-7.3.4
touch -d "1 hour ago" "$LINUX"
ok "another release is refused" says "the series needs 7.3.y" "$TOP/lab/tree"
