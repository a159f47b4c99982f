#!/bin/bash
# SPDX-License-Identifier: MIT
# The mirror is taken from what the machine has, in both of apt's formats.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

FAKE=$(mktemp -d)
trap 'status=$?; rm -rf "$FAKE"; tap_exit $status' EXIT
export OUT=$FAKE/out APT_ETC=$FAKE/etc
mkdir -p "$APT_ETC/sources.list.d"
# shellcheck source-path=SCRIPTDIR source=../../lab/apt.sh
. "$TOP/lab/apt.sh"

mirror() { (apt_mirror bookworm && echo "$MIRROR_URI"); }

like "no entry at all is said" "$(mirror 2>&1 || true)" 'no mirror of Debian.*MIRROR='
cat >"$APT_ETC/sources.list.d/third.list" <<'END'
deb [arch=amd64 signed-by=/k.gpg] http://third.example/apt bookworm main
deb http://other.example/linux/debian bookworm stable
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
END
cat >"$APT_ETC/sources.list" <<'END'
deb http://mirror.example/debian/ bookworm main contrib
deb http://security.example/debian-security bookworm-security main
END
is "one-line format, beside other archives" "$(mirror)" http://mirror.example/debian/
is "an entry's keyring and suite" "$(apt_entries | head -n 3)" \
	"http://mirror.example/debian/ bookworm -
http://security.example/debian-security bookworm-security -
http://third.example/apt bookworm /k.gpg"
rm "$APT_ETC/sources.list"
cat >"$APT_ETC/sources.list.d/debian.sources" <<'END'
Types: deb deb-src
# a comment
URIs: https://first.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: https://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
END
is "deb822 format, beside other archives" "$(mirror)" https://first.example/debian
is "security is found, a key inside the file is left out" \
	"$(apt_entries | grep security)" "https://security.example/debian-security bookworm-security -"
not_ok "an entry that is switched off does not count" grep -q off.example <<<"$(apt_entries)"
is "MIRROR= wins" "$(MIRROR=http://mine.example/debian mirror)" http://mine.example/debian
