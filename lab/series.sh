# SPDX-License-Identifier: MIT
# Shared by tree and export: the series on disk, the git tree made of it, and the
# stamp that ties the two together. Sourced after lib.sh, never run.
# shellcheck shell=bash

KERNEL_DIR=${KERNEL_DIR:-$TOP/kernel}
STAMP=$LINUX_TREE/.git/offmap-stamp

# Nothing of the user's git may change ids, patches or what is ignored.
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null LC_ALL=C TZ=UTC
export GIT_CONFIG_COUNT=3
export GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_CONFIG_KEY_1=core.hooksPath GIT_CONFIG_VALUE_1=/dev/null
export GIT_CONFIG_KEY_2=core.excludesFile GIT_CONFIG_VALUE_2=/dev/null

lgit() { git -C "$LINUX_TREE" "$@"; }

# Two runs at once would undo each other's work.
lock_tree() {
	mkdir -p "$OUT"
	exec 9>"$OUT/.tree.lock"
	flock -n 9 && return
	note "waiting for another run that works on out/linux"
	flock 9
}

# The names of the steps in order; an absent file is an empty series.
series_steps() {
	[ -e "$KERNEL_DIR/series" ] || return 0
	sed -e 's/[[:space:]]*$//' -e '/^#/d' -e '/^$/d' "$KERNEL_DIR/series"
}

valid_step_name() { [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]]; }

# New files travel as one word of a trailer line.
valid_path() { [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._/,+=@-]*$ && $1 != *..* ]]; }

# trailers KEY <message: the values of that trailer, one a line
trailers() {
	git interpret-trailers --parse --no-divider | sed -n "s/^$1: //p"
}

# One line that changes when base, order, patches or new files change.
series_digest() (
	parts=()
	cd "$KERNEL_DIR" || exit
	for p in base series patches tree; do
		[ ! -e "$p" ] || parts+=("$p")
	done
	{
		find "${parts[@]}" -type f -print0 | sort -z | xargs -0r sha256sum
		find "${parts[@]}" -type f -perm -u+x | sort
	} | sha256sum | cut -d' ' -f1
)

stamp_get() { sed -n "s/^$1=//p" "$STAMP" 2>/dev/null || true; }

# stamp_put DIGEST HEAD SOURCE
stamp_put() {
	printf 'digest=%s\nhead=%s\nsource=%s\n' "$@" >"$STAMP.tmp"
	mv "$STAMP.tmp" "$STAMP"
}

tree_is_dirty() {
	local state
	state=$(lgit status --porcelain) || die "git status fails in $LINUX_TREE"
	[ -n "$state" ]
}

# Commits or edits in out/linux that kernel/ does not have.
tree_has_work() {
	[ "$(lgit rev-parse HEAD)" != "$(stamp_get head)" ] || tree_is_dirty
}
