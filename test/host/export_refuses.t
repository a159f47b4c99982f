#!/bin/bash
# SPDX-License-Identifier: MIT
# What export cannot write back faithfully it refuses, and changes nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

refused() {
	ok "$1" says "$2" "$TOP/lab/export"
	is "$1: nothing is changed" "$(fake_state)" "$before"
	fake_git reset -q --hard "$good"
	fake_git clean -qfd
}

fake_linux "$FAKE/src"
fake_kernel
before=$(fake_state)
ok "without a tree there is nothing to export" says "run 'make tree'" "$TOP/lab/export"
"$TOP/lab/tree" 2>/dev/null
fake_steps
"$TOP/lab/export" 2>/dev/null
before=$(fake_state)
good=$(fake_git rev-parse HEAD)

echo x >>"$L/mm/two.c"
refused "an edit that is not committed" "not committed"
echo x >"$L/mm/three.c"
refused "a file that is not committed" "not committed"

echo x >>"$L/mm/two.c"
fake_git commit -qam "mm: No trailer"
refused "a commit without a step" "(mm: No trailer) has no trailer 'Step: NAME'"
echo x >>"$L/mm/two.c"
fake_commit a 'Step: b'
refused "a commit with two steps" "more than one trailer"
echo x >>"$L/mm/two.c"
fake_commit one
refused "two commits of one step" "two commits are step one"
echo x >>"$L/mm/two.c"
fake_commit a/b
refused "a name with a slash" "'a/b' is not a name for a step"

echo x >>"$L/mm/two.c"
fake_git commit -qam "mm: A line" -m "first
---
second" -m "Step: dashes"
refused "a message that mail would cut" "step dashes does not survive as mail"
ln -s one.c "$L/mm/link.c"
fake_commit link
refused "a new file that is a link" "not a plain file"
echo x >"$L/mm/a b.c"
fake_commit blank
refused "a new file with a blank in its name" "cannot be exported"

fake_git checkout -q -b side base
echo x >>"$L/mm/two.c"
fake_commit side
fake_git merge -q --no-edit -m "merge

Step: merge" "$good"
refused "a merge" "has a merge"
fake_git tag -d base >/dev/null
ok "a tree without the tag" says "no tag 'base'" "$TOP/lab/export"
