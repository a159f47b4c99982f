#!/bin/bash
# SPDX-License-Identifier: MIT
# tree and export are each other's inverse, and leave alone what is not theirs.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

tree() { "$TOP/lab/tree"; }
export_() { "$TOP/lab/export"; }
note_of() { { "$@" >/dev/null; } 2>&1; }
unchanged_by() { local before after; before=$(fake_state); "$@" && after=$(fake_state) && [ "$before" = "$after" ]; }

fake_linux "$FAKE/src"
fake_kernel
ok "a tree without steps is the base" tree
is "the base is tagged" "$(fake_git log -1 --format=%s base)" "Linux 7.3.4"
fake_steps
ok "two steps are exported" export_
is "a new file is exported whole" "$(cat "$KERNEL_DIR/tree/mm/tests/new.c")" new
ok "a new program keeps its mode" test -x "$KERNEL_DIR/tree/mm/tests/new.sh"
is "the trailers name the new files" \
	"$(grep -c '^New-files: mm/tests/new' "$KERNEL_DIR/patches/two.patch")" 2
not_ok "a patch has no new file in it" grep -r 'new file mode' "$KERNEL_DIR/patches"
ok "exporting again changes nothing" unchanged_by export_
is "a tree that is up to date is silent" "$(note_of tree)" ''

# The same kernel/ elsewhere, from nothing.
made=$(fake_git rev-parse 'HEAD^{tree}')
log=$(fake_git log --format=%B base..HEAD)
export OUT=$FAKE/out2
L=$OUT/linux
ok "the series applies to a new tree" tree
is "its files are those of the commits" "$(fake_git rev-parse 'HEAD^{tree}')" "$made"
is "its messages are those of the commits, with New-files" \
	"$(fake_git log --format=%B base..HEAD | grep -v ^New-files)" "$log"
is "its author is that of the commits" "$(fake_git log -1 --format='%an %ae %cn')" \
	"Ann Author ann@example.org Ann Author"
is "its working tree is clean" "$(fake_git status --porcelain)" ''
ok "apply, then export changes nothing" unchanged_by export_
id=$(fake_git rev-parse HEAD)
rm -rf "$OUT"
ok "and once more from nothing" tree
is "gives the same commit" "$(fake_git rev-parse HEAD)" "$id"

# kernel/ changes under a clean tree.
touch -d @1000000000 "$L/mm/one.c" "$L/mm/two.c" "$L/mm/tests/new.c"
fake_git update-index -q --refresh
echo newer >"$KERNEL_DIR/tree/mm/tests/new.c"
ok "a changed kernel/ is applied" tree
is "and is in the tree" "$(cat "$L/mm/tests/new.c")" newer
is "files that stay the same keep their time" "$(stat -c %Y "$L/mm/one.c" "$L/mm/two.c" | uniq)" 1000000000

# Headings.
printf '# The first half\n\none\n# The second half\ntwo\n# The end\n' >"$KERNEL_DIR/series"
tree 2>/dev/null
sed -i 's/^1$/uno/' "$L/mm/two.c"
fake_commit three
ok "a step is added" export_
is "headings are kept" "$(cat "$KERNEL_DIR/series")" \
	"$(printf '# The first half\n\none\n# The second half\ntwo\nthree\n# The end')"
fake_git reset -q --hard base
echo z >>"$L/mm/two.c"
fake_commit zero
ok "steps are replaced" export_
is "the first heading stays first, a step's heading goes with it" "$(cat "$KERNEL_DIR/series")" \
	"$(printf '# The first half\n\nzero\n# The end')"
is "what belonged to the gone steps is gone" "$(cd "$KERNEL_DIR" && find patches tree -type f)" patches/zero.patch

# Work that is not exported is left alone.
echo edit >>"$L/mm/one.c"
like "an edited tree is left alone" "$(note_of tree)" 'work that is not exported; building it as it is'
ok "with the edit in it" grep -q edit "$L/mm/one.c"
fake_git commit -qam 'an edit'
like "a tree with a commit of its own is left alone" "$(note_of tree)" 'work that is not exported'
echo >>"$KERNEL_DIR/series"
like "and kernel/ having changed too is said" "$(note_of tree)" 'kernel/ has changed too'
fake_git reset -q --hard HEAD^
touch "$L/mm/untracked.c"
like "a file that git does not know is work too" "$(note_of tree)" 'work that is not exported'
rm "$L/mm/untracked.c"

# A run that was killed between writing files and moving HEAD.
tip=$(fake_git rev-parse HEAD) base=$(fake_git rev-parse base) files=$(fake_git rev-parse 'HEAD^{tree}')
echo "moving=$base $tip" >>"$L/.git/offmap-stamp"
fake_git read-tree -u --reset "$base"
touch "$L/.git/index.lock"
like "an interrupted update is finished" "$(note_of tree)" 'finishing an update'
is "with nothing left over" "$(fake_git status --porcelain)$(fake_git rev-parse 'HEAD^{tree}')" "$files"
is "and is up to date then" "$(note_of tree)" ''
mkdir -p "$OUT/linux.tmp"
rm -rf "$L"
ok "what an interrupted first run left is replaced" tree
ok "and does not stay" test ! -e "$OUT/linux.tmp"

# Another source.
fake_linux "$FAKE/src2" 7.3.5
like "another source replaces the base" "$(LINUX=$FAKE/src2 note_of tree)" 'Linux 7.3.5 and 1 steps'
like "and back" "$(note_of tree)" 'Linux 7.3.4 and 1 steps'
