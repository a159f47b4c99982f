#!/bin/bash
# SPDX-License-Identifier: MIT
# The series follows the kernel's rules: checkpatch, sparse and W=1 have
# nothing to say of it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

# Signed-off-by lines are a matter of who sends the series, and our own trailers
# are not sent.  freetype_t is opaque on purpose; accessors of bits of page blocks
# are macros like their neighbours.
checkpatch() {
	git -C "$LINUX_TREE" format-patch -1 --stdout "$1" |
		sed '1,/^---$/{/^New-files: /d;/^Step: /d}' |
		(cd "$LINUX_TREE" && scripts/checkpatch.pl --strict --no-signoff \
			--ignore FILE_PATH_CHANGES,NEW_TYPEDEFS,MACRO_ARG_REUSE,UNKNOWN_COMMIT_ID --quiet -)
}

# A checker that is content prints nothing.
silent() {
	local said
	said=$("$@" 2>&1)
	[ -z "$said" ] || { echo "$said"; return 1; }
}

# Of what make builds on its way for arm64, Linux's own has warnings of its own.
silent_of_ours() {
	local said
	said=$("$@" 2>&1) || { echo "$said"; return 1; }
	! grep -Ff <(git -C "$LINUX_TREE" diff --diff-filter=A --name-only base HEAD) <<<"$said"
}

# Debian's sparse does not know this one of the compiler's words, which the
# kernel asks it for before it runs it.
SPARSE="sparse -D__typeof_unqual__=__typeof__"

# The compiler and the release by the names that lab/build gives them.  With another
# compiler this test would compile everything again, and so would the next build; with
# another release the kernel would refuse the lab's modules of the next build.
COMPILER=$(cached "${CROSS_COMPILE}gcc")
export CCACHE_DISABLE=1

kmake() {
	make -s -C "$LINUX_TREE" O="$OUT/build/$ARCH-default" ARCH="${KERNEL_ARCH:?}" \
		CROSS_COMPILE="$CROSS_COMPILE" CC="$COMPILER" LOCALVERSION= "$@"
}

# What the architecture compiles; what both do is looked at once.
case $ARCH in
arm64) silent=silent_of_ours paths=('arch/arm64/*.c' mm/mermap/core.c mm/mermap/copy.c) ;;
*) silent=silent paths=('mm/*.c' 'virt/*.c' 'arch/x86/*.c') ;;
esac

[ -d "$LINUX_TREE/.git" ] || die "no out/linux: run 'make tree'"
while [ "$ARCH" = x86_64 ] && read -r commit subject; do
	ok "checkpatch: $subject" checkpatch "$commit"
done < <(git -C "$LINUX_TREE" log --reverse --format='%H %s' base..HEAD)

# New files only: Linux's own have warnings of their own.  One make looks at all of them,
# as each spends more time on its own beginning than on a file.
mapfile -t new < <(git -C "$LINUX_TREE" diff --diff-filter=A --name-only base HEAD -- \
	"${paths[@]}")
release() { cat "$OUT/build/$ARCH-default/include/config/kernel.release"; }
built=$(release)

ok "there are new files" test "${#new[@]}" -gt 1

# With an assembly of an earlier run nothing would be compiled, and said.
compile() {
	(cd "$OUT/build/$ARCH-default" && rm -f "${new[@]/%.c/.s}")
	kmake -k W=1 "${new[@]/%.c/.s}"
}

ok "W=1: ${#new[@]} new files" silent compile
if command -v sparse >/dev/null; then
	ok "sparse: ${#new[@]} new files" "$silent" kmake -k C=2 CHECK="$SPARSE" "${new[@]/%.c/.o}"
else
	skip "sparse: ${#new[@]} new files" "sparse is not installed"
fi
is "the release of the kernel is that of the build" "$(release)" "$built"
