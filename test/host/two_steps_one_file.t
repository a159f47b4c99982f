#!/bin/bash
# SPDX-License-Identifier: MIT
# A new file belongs to one step: export says so and changes nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

fake_linux "$FAKE/src"
fake_kernel
"$TOP/lab/tree" 2>/dev/null
fake_steps
"$TOP/lab/export" 2>/dev/null
before=$(fake_state)

echo newer >>"$L/mm/tests/new.c"
fake_commit three
ok "a new file changed in a later step is refused, with both steps named" \
	says "mm/tests/new.c is added in step two and changed in step three" "$TOP/lab/export"
is "and nothing is changed" "$(fake_state)" "$before"
fake_git reset -q --hard HEAD^
fake_git rm -q mm/tests/new.c
fake_commit three
ok "so is one that a later step removes" \
	says "mm/tests/new.c is added in step two and changed in step three" "$TOP/lab/export"
fake_git reset -q --hard HEAD^
fake_git rm -q mm/two.c
fake_commit three
seq 1 40 >"$L/mm/two.c"
fake_commit four
ok "and one of Linux's that goes and comes back" \
	says "mm/two.c is removed in step three and added in step four" "$TOP/lab/export"
is "still nothing is changed" "$(fake_state)" "$before"
fake_git reset -q --hard HEAD^^
seq 2 40 >"$L/mm/two.c"
fake_commit three
seq 3 40 >"$L/mm/two.c"
fake_commit four
ok "a file of Linux may change in two steps" "$TOP/lab/export"
