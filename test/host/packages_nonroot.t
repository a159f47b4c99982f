#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may not install is told what to type; who need not is told nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

# A copy that everybody can read, commands that can be taken away.
chmod 755 "$FAKE"
mkdir "$FAKE/lab" "$FAKE/bin"
cp "$TOP"/lab/packages "$TOP"/lab/*.sh "$FAKE/lab"
chmod -R a+rX "$FAKE/lab"
for dir in /usr/local/bin /bin /usr/bin /usr/local/sbin /sbin /usr/sbin; do
	find "$dir/" -maxdepth 1 ! -type d -perm -u+x -exec ln -sf -t "$FAKE/bin" {} +
done

without() { rm "$FAKE/bin/$1"; }
double() { rm -f "$FAKE/bin/$1"; cat >"$FAKE/bin/$1"; chmod 755 "$FAKE/bin/$1"; }

packages() {
	local as=()
	[ "$(id -u)" != 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${as[@]}" env PATH="$FAKE/bin" OUT="$FAKE/out" OS_RELEASE="${OS_RELEASE:-$FAKE/debian}" \
		"$FAKE/lab/packages" 2>&1
}

printf 'ID=debian\nVERSION_CODENAME=bookworm\n' >"$FAKE/debian"
echo 'ID=other' >"$FAKE/other"

is "with everything there it is silent" "$(packages)" ''
is "on another distribution too" "$(OS_RELEASE=$FAKE/other packages)" ''

without shellcheck
like "what the lab can do without is a note" "$(packages)" \
	"^offmap: packages: going on without shellcheck; 'sudo make packages' installs"
without flex
ok "what it needs is an error that names the command" \
	says "not installed: flex: run 'sudo make packages', or as root: apt-get install --no-install-recommends flex" packages
is "of one line" "$(packages | wc -l)" 1
not_ok "make deb WHAT=vmm does without" grep -q flex <<<"$(FOR=deb-vmm packages)"
rm -f "$FAKE/bin/aarch64-linux-gnu-gcc"
like "for arm64 it needs a compiler for arm64" "$(ARCH=arm64 FOR=deb-vmm packages)" \
	"not installed: [^:]*gcc-aarch64-linux-gnu"
ok "which is the tool's name on another distribution" \
	env OS_RELEASE="$FAKE/other" FAKE="$FAKE" bash -c "$(declare -f says packages); says 'not Debian, and these are missing: flex' packages"
double qemu-system-x86_64 <<'END'
#!/bin/bash
echo "QEMU emulator version 7.2.17 (Debian)"
END
ok "QEMU 7.2 counts as missing, with the suite that has a newer one" \
	says "not installed: flex qemu-system-x86.*-t bookworm-backports" packages
double busybox <"$(type -P true)"
ok "so does a busybox that is not static" says "busybox-static" packages
ok "nothing is written" test ! -e "$FAKE/out"
