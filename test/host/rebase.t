#!/bin/bash
# SPDX-License-Identifier: MIT
# make rebase: which steps another release takes, and a tree at the first that
# it does not take.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

NEW=$OUT/rebase/linux
try() { LINUX=$FAKE/next "$TOP/lab/rebase" 2>"$FAKE/said"; }
in_new() { git -C "$NEW" -c safe.directory='*' "$@"; }

fake_linux "$FAKE/src"
fake_kernel
"$TOP/lab/tree" 2>/dev/null
fake_steps
sed -i 's/^38$/thirty-eight/' "$L/mm/one.c"
fake_commit three
"$TOP/lab/export" 2>/dev/null

fake_linux "$FAKE/next" 7.4.1
sed -i 's/^1$/first/' "$FAKE/next/mm/one.c"
ok "another release that takes all steps" try
is "has both" "$(in_new rev-list --count base..HEAD)" 3
is "on top of it" "$(in_new log -1 --format=%s base)" "Linux 7.4.1"
ok "with what the steps change" grep -q twenty "$NEW/mm/one.c"
ok "and add" test -x "$NEW/mm/tests/new.sh"

sed -i 's/^30$/dreissig/' "$FAKE/next/mm/one.c"
list=$(try) && list="status 0: $list"
is "one that does not take the second" "$list" \
	"ok        mm: Do one"$'\n'"CONFLICT  mm: Do two"$'\n'"          mm/one.c"$'\n'"ok        mm: Do three"
is "leaves a tree at that step" "$(in_new log -1 --format=%s)" "mm: Do one"
is "to be resolved" "$(in_new diff --name-only --diff-filter=U)" "mm/one.c"
ok "out/linux stays as it was" grep -q thirty "$L/mm/one.c"
not_ok "work in it is not thrown away" try
like "but named" "$(cat "$FAKE/said")" 'a step that is not resolved'
rm -rf "$OUT/rebase"
sed -i 's/^20$/twenty/; s/^38$/achtunddreissig/' "$FAKE/next/mm/one.c"
list=$(try) && list="status 0: $list"
is "one that has the first, and not the place of the third" "$list" \
	"ok        mm: Do one"$'\n'"CONFLICT  mm: Do two"$'\n'"          mm/one.c"$'\n'"CONFLICT  mm: Do three"$'\n'"          mm/one.c"
LINUX='' not_ok "no release, no answer" "$TOP/lab/rebase"
