#!/bin/bash
# SPDX-License-Identifier: MIT
# A domain of libvirt in session mode, whose <emulator> is vmm/examples/offmap-qemu,
# with this machine's own KVM.  test/boot/vmm_libvirt.t does the same in the lab.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../guest/scenario/lib.sh
. "$TOP/test/guest/scenario/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../guest/scenario/libvirt_lib.sh
. "$TOP/test/guest/scenario/libvirt_lib.sh"

unset MAKEFLAGS MAKELEVEL LD_PRELOAD

cannot() {
	skip "libvirt: a domain below offmap run" "$1"
	exit 0
}

# All of it dies with the namespace.
if [ "${1:-}" != inside ]; then
	[ "$(id -u)" = 0 ] || cannot "not root"
	command -v qemu-system-x86_64 >/dev/null || cannot "qemu-system-x86_64 is not installed"
	status=0
	says=$("$TOP/lab/libvirt" 2>&1) || status=$?
	[ "$status" != 4 ] || cannot "${says#offmap: error: }"
	WORK=$(mktemp -d)
	trap 'rm -rf "$WORK"' EXIT
	status=0
	WORK=$WORK unshare -mpf --mount-proc --kill-child "$0" inside || status=$?
	exit "$status"
fi

O=$WORK/o
if ! make -s -C "$TOP/vmm" O="$O" bin >"$WORK/log" 2>&1; then
	tap_fail "it builds" "$(cat "$WORK/log")"
	exit 0
fi
OFFMAP=$O/bin/offmap
if ! "$OFFMAP" probe >/dev/null 2>&1; then OFFMAP=$O/plain/offmap; fi
if ! reason=$("$OFFMAP" probe 2>&1); then
	cannot "$(grep -m1 -o 'no: .*' <<<"$reason" || echo "$reason")"
fi

status=0
says=$(OUT=$WORK/out OS_RELEASE=/dev/null "$TOP/lab/libvirt" 2>&1) || status=$?
like "where there is no Debian there is no libvirt, and it is said" "$status $says" \
	'^4 .*this is not Debian$'
status=0
says=$(OUT=$WORK/out MIRROR=http://mirror.invalid/debian "$TOP/lab/libvirt" 2>&1) || status=$?
like "a mirror that cannot be asked is an error" "$status $says" '^2 .*mirror.invalid/debian'
ok "libvirt can be unpacked" "$TOP/lab/libvirt"
ok "a root that has libvirt" libvirt_root / "$("$TOP/lab/libvirt")" "$OFFMAP" \
	"$TOP/vmm/examples/offmap-qemu"
ok "libvirtd starts, as a user" libvirt_starts
ok "a domain starts" domain_starts
ok "all of its memory is guest_memfd" domain_is_protected
ok "the domain is reset" domain_resets
ok "the domain is destroyed, and so is its task" domain_ends
