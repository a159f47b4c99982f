#!/bin/bash
# SPDX-License-Identifier: MIT
# fetch gives its error in one line, and the next run recovers by itself. apt-get and
# apt-cache are doubles that serve packages made here.  Two tests ask apt itself about a
# mirror that is none.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=fake.sh
. "$(dirname "$0")/fake.sh"

if ! command -v apt-get dpkg-deb >/dev/null; then
	skip "fetch says what is wrong" "this machine has no apt-get"
	exit 0
fi

chmod 755 "$FAKE"
unset LINUX
export MIRROR=http://127.0.0.1:1/debian SERVE=$FAKE/serve
fetch() { "$TOP/lab/fetch"; }
tarball=$OUT/downloads/linux-source-7.3.tar.xz
system_path=$PATH

# double NAME <script
double() {
	mkdir -p "$FAKE/bin"
	{ echo '#!/bin/bash'; cat; } >"$FAKE/bin/$1"
	chmod +x "$FAKE/bin/$1"
}

# Suite of the configuration that the double was called with: the folder.
doubles() {
	double apt-get <<-'END'
		suite=$(basename "$(dirname "$2")")
		case $3 in
		update) [ -d "$SERVE/$suite" ] || { echo "E: no Release file"; exit 100; } ;;
		download) cp "$SERVE/$suite"/*_"${4#*=}"_all.deb . ;;
		esac
	END
	double apt-cache <<-'END'
		suite=$(basename "$(dirname "$2")")
		for f in "$SERVE/$suite"/*.deb; do
			v=${f#*_}
			echo "linux-source-7.3 | ${v%_all.deb} | http://mirror.example $suite/main"
		done
	END
}

# serve SUITE VERSION: a package with a tarball of the fake Linux in it.
serve() {
	local d=$FAKE/pkg
	rm -rf "$d"
	mkdir -p "$d/DEBIAN" "$d/usr/src" "$SERVE/$1"
	printf '%s\n' 'Package: linux-source-7.3' "Version: $2" 'Architecture: all' \
		'Maintainer: nobody <nobody@example.org>' 'Description: fake' >"$d/DEBIAN/control"
	cp "$FAKE/fake.tar.xz" "$d/usr/src/linux-source-7.3.tar.xz"
	dpkg-deb -Zxz --root-owner-group -b "$d" "$SERVE/$1/linux-source-7.3_$2_all.deb" >/dev/null
}

no_remains() { [ -z "$(find "$OUT/downloads" -type f)" ]; }

# Another answer of the mirror each time.
afresh() { rm -rf "$OUT/downloads" "$SERVE"; }

fake_linux "$FAKE/linux-7.3"
fake_kernel
tar -C "$FAKE" -cJf "$FAKE/fake.tar.xz" linux-7.3
sum=$(sha256sum "$FAKE/fake.tar.xz" | cut -d' ' -f1)
deb=$(sed -n 's/^LINUX_DEB_VERSION=//p' "$KERNEL_DIR/base")
doubles
export PATH=$FAKE/bin:$system_path

serve trixie-backports "$deb"
ok "a wrong checksum is said" says "wrong checksum of linux-source-7.3.tar.xz" fetch
ok "and nothing remains of it" no_remains
sed -i "s/^LINUX_SHA256=.*/LINUX_SHA256=$sum/" "$KERNEL_DIR/base"
like "the next run gets it" "$(fetch 2>&1)" "linux-source-7.3 ${deb/+/.} from trixie-backports"
is "the tarball is whole" "$(sha256sum <"$tarball" | cut -d' ' -f1)" "$sum"
is "and is not fetched again" "$(fetch 2>&1)" ''
truncate -s 100 "$tarball"
like "half a tarball is noticed" "$(fetch 2>&1)" 'not whole.*fetching it anew'
is "and replaced" "$(sha256sum <"$tarball" | cut -d' ' -f1)" "$sum"

rm -rf "$OUT/downloads"
truncate -s 300 "$SERVE"/trixie-backports/*.deb
ok "half a package is said" says "cannot unpack .*run it again" fetch
ok "and nothing remains of it" no_remains
serve trixie-backports "$deb"
echo half >"$tarball.tmp"
ok "what an interrupted run left is no obstacle" fetch
ok "the tree is made of it" "$TOP/lab/tree"

afresh
double df <<<'echo Filesystem; echo /dev/x 9 9 1048576 9% /'
ok "a full disk is said, with what is needed and what is there" \
	says "needs 6 GB free in .*, but there are 1024 MB" fetch
rm "$FAKE/bin/df"

afresh
serve sid 7.3.4-9
serve forky 7.3.6-1
like "7.3.4 of a later suite is preferred to a newer release" "$(fetch 2>&1)" \
	'linux-source-7.3 7.3.4-9 from sid'
afresh
serve sid 7.3.6-1
like "a newer 7.3.y is taken with a warning" "$(fetch 2>&1)" \
	'warning: linux-source-7.3 7.3.6-1 of sid is Linux 7.3.6'
afresh
serve sid 7.3.2-1
serve forky 7.4.1-1
ok "an older one and another series are not" says "no linux-source-7.3 7.3.4 or newer" fetch

PATH=$system_path
afresh
ok "a mirror that does not answer is said" says "mirror http://127.0.0.1:1/debian cannot be reached" fetch
mkdir -p "$FAKE/mirror/dists/trixie-backports"
printf '%s\n' 'Suite: trixie-backports' 'Codename: trixie-backports' \
	'Date: Mon, 01 Jun 2026 00:00:00 UTC' 'Components: main' 'Architectures: amd64 arm64 all' \
	>"$FAKE/mirror/dists/trixie-backports/Release"
ok "a mirror without a signature is not trusted" \
	env MIRROR="file://$FAKE/mirror" bash -c "$(declare -f says); says 'signature of file://' $TOP/lab/fetch"

fake_linux "$FAKE/src" 7.3.9
like "LINUX=directory of 7.3.9 is a warning" "$(LINUX=$FAKE/src fetch 2>&1)" 'warning: .*is Linux 7.3.9'
fake_linux "$FAKE/old" 6.12.1
for LINUX in "$FAKE/old" "$FAKE/old.tar.gz" "$FAKE/nothing" "$FAKE/serve" "$FAKE/file"; do
	export LINUX
	mkdir -p "$FAKE/serve"
	echo x >"$FAKE/file"
	[ "$LINUX" != "$FAKE/old.tar.gz" ] || tar -C "$FAKE" -czf "$LINUX" old
	case $LINUX in
	*/old*) why='is Linux 6.12.1; the series needs 7.3.y' ;;
	*/nothing) why='does not exist' ;;
	*/serve) why='has no Makefile of Linux' ;;
	*/file) why='is neither a tarball' ;;
	esac
	ok "LINUX=${LINUX##*/} $why" says "$why" fetch
done
export LINUX=$FAKE/fake.tar.xz
ok "LINUX=tarball is taken" fetch
ok "and a tree is made of it" "$TOP/lab/tree"
head -c 200 "$FAKE/fake.tar.xz" >"$FAKE/half.tar.xz"
LINUX=$FAKE/half.tar.xz
ok "half a LINUX=tarball is said" says "half.tar.xz" "$TOP/lab/tree"
LINUX=$FAKE/git
git init -q "$LINUX"
ok "LINUX=git-tree without a commit is said" says "without a commit" "$TOP/lab/tree"
fake_linux "$LINUX"
L=$LINUX
fake_git add -A
fake_git commit -qm linux
L=$OUT/linux
ok "LINUX=git-tree is taken" "$TOP/lab/tree"
