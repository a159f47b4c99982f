#!/bin/bash
# SPDX-License-Identifier: MIT
# A new file may change in later steps: kernel/tree has it as the last one leaves it, and
# tree finds what it was before.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

# The files of every commit of the series, in one word.
states() { fake_git log --format=%T base..HEAD; }
again() {
	rm -rf "$L"
	"$TOP/lab/tree" 2>"$FAKE/said" || {
		cat "$FAKE/said"
		return 1
	}
}

fake_linux "$FAKE/src"
fake_kernel
"$TOP/lab/tree" 2>/dev/null
fake_steps

seq 1 30 >>"$L/mm/tests/new.c"
echo 'echo ho' >>"$L/mm/tests/new.sh"
fake_commit three
sed -i 's/^new$/newer/; s/^15$/fifteen/' "$L/mm/tests/new.c"
sed -i 's/^5$/five/' "$L/mm/one.c"
chmod -x "$L/mm/tests/new.sh"
echo later >"$L/mm/tests/later.c"
fake_commit four
made=$(states)
ok "new files that later steps change are exported" "$TOP/lab/export"
is "as the last step leaves them" "$(head -n 1 "$KERNEL_DIR/tree/mm/tests/new.c")" newer
ok "with their last mode" test ! -x "$KERNEL_DIR/tree/mm/tests/new.sh"
ok "the patch of a later step has its edits" grep -q '^+newer$' "$KERNEL_DIR/patches/four.patch"
before=$(fake_state)
ok "tree makes every step of that" again
is "as it was" "$(states)" "$made"
"$TOP/lab/export" 2>/dev/null
is "and exporting it changes nothing" "$(fake_state)" "$before"

# Gone by the end.
fake_git rm -q mm/tests/new.c
fake_commit five
made=$(states)
ok "a new file that a later step removes is exported" "$TOP/lab/export"
ok "and is not in kernel/tree" test ! -e "$KERNEL_DIR/tree/mm/tests/new.c"
before=$(fake_state)
ok "tree makes every step of that, too" again
is "as it was then" "$(states)" "$made"
"$TOP/lab/export" 2>/dev/null
is "and it comes back the same" "$(fake_state)" "$before"

# What does not fit together.
good=$(fake_git rev-parse HEAD)
sed -i 's/^echo ho$/echo hu/' "$KERNEL_DIR/tree/mm/tests/new.sh"
ok "a new file that is not what the last step leaves is refused" \
	says "step three: its edits to new files of earlier steps cannot be taken back: .*new.sh" "$TOP/lab/tree"
is "and the tree stays" "$(fake_git rev-parse HEAD)" "$good"
sed -i 's/^echo hu$/echo ho/' "$KERNEL_DIR/tree/mm/tests/new.sh"
sed -i 's,^New-files: mm/tests/later.c$,&\nNew-files: mm/tests/new.sh,' "$KERNEL_DIR/patches/four.patch"
ok "so is one that two steps add" \
	says "steps two and four both name mm/tests/new.sh" "$TOP/lab/tree"
sed -i '/^New-files: mm\/tests\/new.sh$/d' "$KERNEL_DIR/patches/four.patch"
ok "what was there still applies" "$TOP/lab/tree"

before=$(fake_state)
fake_git rm -q mm/two.c
fake_commit six
seq 1 40 >"$L/mm/two.c"
fake_commit seven
ok "a file that goes and comes back is refused" \
	says "mm/two.c is removed in step six and added in step seven" "$TOP/lab/export"
is "and nothing is changed" "$(fake_state)" "$before"
fake_git reset -q --hard HEAD^^
seq 2 40 >"$L/mm/two.c"
fake_commit six
seq 3 40 >"$L/mm/two.c"
fake_commit seven
ok "a file of Linux may change in two steps" "$TOP/lab/export"
