# SPDX-License-Identifier: MIT
# A Linux of a few files, a series on it, and an out/ of their own.  With them tests of
# tree, export and fetch take no time and touch nothing else.
# Sourced after test/lib.sh.
# shellcheck shell=bash

FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
# the tests expect an identity of their own, not the user's
unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
export OUT=$FAKE/out KERNEL_DIR=$FAKE/kernel LINUX=$FAKE/src
L=$OUT/linux

fake_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C "$L" \
		-c user.name='Ann Author' -c user.email=ann@example.org "$@"
}

# fake_linux DIR [VERSION]
fake_linux() {
	local dir=$1 version
	IFS=. read -ra version <<<"${2:-7.3.4}"
	mkdir -p "$dir/mm" "$dir/scripts"
	printf 'VERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = %s\n' \
		"${version[@]}" >"$dir/Makefile"
	seq 1 40 >"$dir/mm/one.c"
	seq 1 40 >"$dir/mm/two.c"
	echo '*.o' >"$dir/.gitignore"
	printf '#!/bin/sh\n' >"$dir/scripts/run"
	chmod +x "$dir/scripts/run"
}

fake_kernel() {
	mkdir -p "$KERNEL_DIR"
	cp "$TOP/kernel/base" "$KERNEL_DIR/base"
}

# fake_commit STEP [TRAILER…]: commits all that has changed.
fake_commit() {
	local step=$1
	shift
	fake_git add -A
	fake_git commit -q -m "mm: Do $step" -m "It was not done." \
		-m "$(printf '%s\n' "Step: $step" "$@")"
}

# Steps `one` and `two`, the second with a new file and a new program.
fake_steps() {
	sed -i 's/^20$/twenty/' "$L/mm/one.c"
	fake_commit one
	sed -i 's/^30$/thirty/' "$L/mm/one.c"
	mkdir -p "$L/mm/tests"
	echo new >"$L/mm/tests/new.c"
	printf '#!/bin/sh\necho hi\n' >"$L/mm/tests/new.sh"
	chmod +x "$L/mm/tests/new.sh"
	fake_commit two
}

# Everything of kernel/ in one word.
fake_state() {
	(cd "$KERNEL_DIR" && find . -type f -printf '%p %m\n' -exec sha256sum {} + | sort | sha256sum)
}

# says TEXT COMMAND…: it fails, its last line has TEXT, and that is an error
# of ours, not of a tool gone wild.
says() {
	local text=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	echo "$out"
	[ "$status" = 2 ] || {
		echo "exit status $status"
		return 1
	}
	tail -n1 <<<"$out" | grep -q "^offmap: error: .*$text" || {
		echo "does not say: $text"
		return 1
	}
}
