#!/bin/bash
# SPDX-License-Identifier: MIT
# Which Bochs the lab takes: the machine's own, if recent, else one that it unpacks once.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_tools() {
	local status=0 says
	mkdir "$WORK/none"
	says=$(take "$WORK/none" 2>&1) || status=$?
	[[ $says != *xorriso* && $says != *isolinux* && $says != *syslinux* ]] || {
		skip "Bochs is chosen" "$says"
		exit 0
	}
}

WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
mkdir "$WORK/bin"
find /usr/sbin/ /usr/bin/ -maxdepth 1 ! -type d -perm -u+x ! -name 'bochs*' ! -name mmdebstrap \
	-exec ln -sf -t "$WORK/bin" {} +
double() { cat >"$WORK/$1"; chmod +x "$WORK/$1"; }

# take DIR: with the commands of DIR
take() { PATH=$1:$WORK/bin OUT=$WORK/out MIRROR=http://mirror.invalid/debian "$TOP/lab/bochs"; }

needs_tools

mkdir "$WORK/own" "$WORK/old"
printf '#!/bin/sh\necho " Bochs x86 Emulator 3.1"\n' | double own/bochs
is "a recent Bochs of the machine is taken" "$(take "$WORK/own" 2>&1)" bochs

printf '#!/bin/sh\necho " Bochs x86 Emulator 2.7"\n' | double old/bochs
status=0
says=$(take "$WORK/old" 2>&1) || status=$?
like "an old one is not, and what is missing is named" "$status $says" \
	'^4 offmap: error: bochs: not installed: mmdebstrap: run .sudo make packages.$'

printf '#!/bin/sh\necho "E: no such suite"; exit 1\n' | double old/mmdebstrap
status=0
says=$(take "$WORK/old" 2>&1) || status=$?
like "a mirror without it is an error, with the reason" "$status $says" \
	'^2 .*mirror.invalid/debian does not give [^ ]*: E: no such suite'
ok "which leaves nothing that counts as unpacked" test ! -e "$WORK/out/bochs"

double old/mmdebstrap <<'END'
#!/bin/bash
for dir; do [[ $dir != *.tmp ]] || mkdir -p "$dir/usr/bin"; done
END
like "it is unpacked" "$(take "$WORK/old" 2>"$WORK/says")" "$WORK/out/bochs/usr/bin/bochs-bin$"
like "which is said" "$(cat "$WORK/says")" '^offmap: bochs: unpacking '
printf '#!/bin/sh\nexit 1\n' | double old/mmdebstrap
like "once" "$(take "$WORK/old" 2>&1)" "^env .*$WORK/out/bochs/usr/bin/bochs-bin$"
