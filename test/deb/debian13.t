#!/bin/bash
# SPDX-License-Identifier: MIT
# make run in a Debian 13 that has only make.  It installs the packages, fetches
# Linux, builds it, boots it, and shows that the kernel cannot read the VM. For `make
# check-debian13`; needs root, as mmdebstrap does here.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../lab/apt.sh
. "$TOP/lab/apt.sh"

CODENAME=trixie
LOGS=$OUT/logs/debian13
WORK=$OUT/debian13.tmp
ROOT=$WORK/root
trap 'status=$?; rm -rf --one-file-system "$WORK"; tap_exit $status' EXIT

[ "$(id -u)" = 0 ] || die "mmdebstrap needs root here: sudo make check-debian13"
command -v mmdebstrap >/dev/null || die "not installed: mmdebstrap: run 'make packages FOR=check-deb'"

make_root() {
	rm -rf "$WORK"
	mkdir -p "$WORK" "$LOGS"
	apt_mirror "$(debian_codename)"
	mmdebstrap --variant=apt --include=make --keyring="$KEYRING" "$CODENAME" "$ROOT" \
		"deb $MIRROR_URI $CODENAME main" "deb $MIRROR_URI $CODENAME-backports main" \
		>"$LOGS/mmdebstrap.log" 2>&1 || {
		tail -n 3 "$LOGS/mmdebstrap.log"
		return 1
	}
}

# The files of this checkout, as they are; what was downloaded need not be again.
checkout() {
	mkdir -p "$ROOT/src/out/downloads"
	git -C "$TOP" ls-files -z | tar -C "$TOP" -c --null -T - | tar -C "$ROOT/src" -x &&
		cp -Lp "$OUT"/downloads/* "$ROOT/src/out/downloads/"
}

# In mounts of its own, which end with it.
make_run() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -ec '
		mount --rbind --make-rslave /dev "$1/dev"
		mount -t proc proc "$1/proc"
		mount -t sysfs sys "$1/sys"
		exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			make -C /src run JOBS="$2"' sh "$ROOT" "$JOBS" >"$LOGS/run.log" 2>&1 ||
		{
			tail -n 10 "$LOGS/run.log"
			return 1
		}
}

said() { grep "$1" "$LOGS/run.log"; }

ok "a Debian 13 with make, and nothing else of ours" make_root
ok "with this checkout" checkout
ok "make run" make_run
ok "it shows a VM that the kernel can read" said '^plain .*FOUND: the kernel can read it'
ok "and one that it cannot" said '^protected .*absent: the kernel cannot read it'
