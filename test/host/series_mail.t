#!/bin/bash
# SPDX-License-Identifier: MIT
# make series: mail that is ready to be sent, or nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../lab/series.sh
. "$TOP/lab/series.sh"

if [ ! -d "$LINUX_TREE/.git" ] || tree_has_work || [ "$(stamp_get digest)" != "$(series_digest)" ]; then
	skip "the series as mail" "out/linux is not what kernel/ has: run 'make export' or 'make tree'"
	exit 0
fi

FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
export SIGNOFF='Ann Other <ann@kernel.org>' QUICK=1
real=$LINUX_TREE tip=$(lgit rev-parse 'HEAD^{tree}') steps=$(series_steps | wc -l)
mkdir "$FAKE/out"
ln -s "$real" "$FAKE/out/linux"
# the covers are not part of what the tree was made of
cp -a "$KERNEL_DIR" "$FAKE/kernel"

# series_mail NAME=value...: in $FAKE/out/series
series_mail() { env OUT="$FAKE/out" KERNEL_DIR="$FAKE/kernel" "$@" "$TOP/lab/mail"; }
# all_have mails|letters REGEX
all_have() { local f; for f in $("$1"); do grep -qE "$2" "$f" || { echo "$f"; return 1; }; done; }
mails() { find "$FAKE/out/series" -name '*[0-9]-[!0]*.patch' ! -name '*cover-letter.patch'; }
letters() { find "$FAKE/out/series" -name '*-cover-letter.patch'; }
# Parts in the order of kernel/series.
parts() { sed -n 's/^# Part [a-z]*, \([A-Za-z0-9]*\):*.*/\L\1/p' "$KERNEL_DIR/series"; }
# prerequisites PART: the id of each patch of the parts before it, as git computes it
prerequisites() {
	local own
	own=$(find "$FAKE/out/series/$1" -name '*.patch' ! -name '*cover-letter.patch' | wc -l)
	lgit log -p --reverse --no-renames --no-indent-heuristic "base..HEAD~$own" |
		git patch-id --stable | cut -d' ' -f1 | sort
}
none_has() { ! grep -rlE "$1" "$FAKE/out/series"; }

# The parts in the order of kernel/series, applied to the base in memory.
applied() {
	local part patch
	export GIT_INDEX_FILE=$FAKE/index GIT_OBJECT_DIRECTORY=$FAKE/objects
	export GIT_ALTERNATE_OBJECT_DIRECTORIES=$real/.git/objects
	mkdir -p "$FAKE/objects"
	lgit read-tree base
	parts | while read -r part; do
		for patch in "$FAKE/out/series/$part"/*.patch; do
			case $patch in
			*-cover-letter.patch) ;;
			*) lgit apply --cached --whitespace=nowarn "$patch" ;;
			esac
		done
	done
	lgit write-tree
}

refuses() {
	local claim=$1 why=$2 said
	shift 2
	rm -rf "$FAKE/out/series"
	said=$(series_mail "$@" 2>&1) && said="status 0: $said"
	like "$claim" "$said" "$why"
	not_ok "and writes nothing" test -e "$FAKE/out/series"
}

ok "the series becomes mail" series_mail
is "a mail for each step" "$(mails | wc -l)" "$steps"
ok "each is signed off" all_have mails '^Signed-off-by: Ann Other <ann@kernel.org>$'
ok "and from who signs" all_have mails '^From: Ann Other <ann@kernel.org>$'
ok "none has our trailers" none_has '^(Step|New-files): '
ok "nor words to be replaced" none_has '\*\*\*|\{figures\}|lab\.invalid'
ok "cover letters say whom to send them to" all_have letters '^To: .*@'
ok "and which commit they are for" all_have letters "^base-commit: $(lgit rev-parse base)$"
ok "and have an id that stays from version to version" all_have letters '^change-id: [0-9]{8}-[a-z-]+-[0-9a-f]{12}$'
last=$(parts | tail -n1)
is "the last needs all patches before it" "$(prerequisites "$last")" \
	"$(sed -n 's/^prerequisite-patch-id: //p' "$FAKE/out/series/$last"/*cover-letter.patch | sort)"
is "applied to the base they are the series" "$(applied)" "$tip"
if git send-email --dump-aliases </dev/null >/dev/null 2>&1; then
	ok "git send-email takes them" git -C "$FAKE" send-email --dry-run --quiet --confirm=never \
		--from='Ann Other <ann@kernel.org>' "$FAKE"/out/series/*/*.patch
else
	skip "git send-email takes them" "git-email is not installed, or libmailtools-perl"
fi
ok "a second version" series_mail VERSION=2
ok "says so" all_have mails '^Subject: \[PATCH v2 [0-9]+/[0-9]+\]'
refuses "without a name it does nothing" 'who signs off' SIGNOFF=
refuses "with a placeholder for one neither" 'is a placeholder' "SIGNOFF=Your Name <you@example.com>"
refuses "nor as nobody" 'is a placeholder' "SIGNOFF=offmap <offmap@lab.invalid>"
sed -i '$a TODO: figures' "$FAKE/kernel/cover/blocks.txt"
refuses "a cover with a gap is not mailed" 'has a placeholder'
rm "$FAKE/kernel/cover/blocks.txt"
refuses "a part needs a cover" 'no cover letter kernel/cover/blocks.txt'
