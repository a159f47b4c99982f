#!/bin/bash
# SPDX-License-Identifier: MIT
# The base is Linux as Debian patches it; the series applies to Linux without that as
# well.  Of the files that the series changes Debian patches kernel/fork.c: its switch
# for user namespaces is taken out here, and the rest of the file compiled as lab/build
# does.  All other files of the series are those that lab/build compiles.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

real=$OUT/linux
BUILD=$OUT/build/x86_64-default
claim="the series applies to Linux without Debian's patches"
if [ ! -d "$real/.git" ]; then
	skip "$claim" "there is no out/linux: run 'make tree'"
	exit 0
fi
FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
unset LINUX
export OUT=$FAKE/out KERNEL_DIR=$FAKE/kernel
L=$OUT/linux
mkdir "$OUT"
cp -a "$TOP/kernel" "$KERNEL_DIR"

# What is not written out stays in the object store.
clone() {
	git clone -q --shared --no-checkout "$real" "$L" &&
		git -C "$L" sparse-checkout set --no-cone /Makefile /.gitattributes /kernel/fork.c &&
		git -C "$L" reset -q --hard base
}

undo_debian() {
	perl -0pi -e '
		s/#ifdef CONFIG_USER_NS\nextern int unprivileged_userns_clone;.*?#endif\n\n//s;
		s/\tif \(\(clone_flags & CLONE_NEWUSER\) && !unprivileged_userns_clone\).*?;\n\n//s;
		s/\tif \(\(unshare_flags & CLONE_NEWUSER\) && !unprivileged_userns_clone\).*?\n\t\}\n\n//s;
		' "$L/kernel/fork.c"
	git -C "$L" -c user.name=a -c user.email=a@b commit -qam "Linux without Debian's patches" &&
		git -C "$L" tag -f base >/dev/null
}

# By the command of the last build, with another source, and no object.
compiles() {
	local command
	command=$(sed -n '1{s/^savedcmd_[^ ]* := //;s/ *;.*//;p}' "$BUILD/kernel/.fork.o.cmd")
	[[ $command = *" -c -o kernel/fork.o $real/kernel/fork.c" ]] || {
		echo "not the command of kernel/fork.c: $command"
		return 1
	}
	(cd "$BUILD" && CCACHE_DISABLE=1 eval "${command%% -c -o *} -Werror -Wp,-MMD,$FAKE/fork.d -S -o $FAKE/fork.s $1")
}

stamp() {
	sed -n '/^source=/p' "$real/.git/offmap-stamp" >"$L/.git/offmap-stamp"
	git -C "$L" rev-parse HEAD | sed 's/^/head=/' >>"$L/.git/offmap-stamp"
}

ok "a clone of out/linux at its base" clone
ok "the base has Debian's patch of kernel/fork.c" grep -q unprivileged_userns_clone "$L/kernel/fork.c"
ok "it can be taken out" undo_debian
not_ok "it is out" grep -q unprivileged_userns_clone "$L/kernel/fork.c"
stamp
ok "$claim" "$TOP/lab/tree"
is "with every step of kernel/series" \
	"$(git -C "$L" rev-list --count base..HEAD)" "$(grep -c '^[^#]' "$KERNEL_DIR/series")"
is "kernel/fork.c is changed" "$(git -C "$L" diff --name-only base HEAD -- kernel/fork.c)" kernel/fork.c
if [ -s "$BUILD/kernel/.fork.o.cmd" ]; then
	ok "it compiles" compiles "$L/kernel/fork.c"
	{
		cat "$L/kernel/fork.c"
		echo 'bool userns_clone(void); bool userns_clone(void) { return unprivileged_userns_clone; }'
	} >"$FAKE/fork.c"
	not_ok "which a use of Debian's switch would not" compiles "$FAKE/fork.c"
else
	skip "it compiles" "there is no kernel: run 'make build'"
fi
