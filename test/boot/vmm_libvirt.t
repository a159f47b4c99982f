#!/bin/bash
# SPDX-License-Identifier: MIT
# A domain of libvirt below offmap run, on memory that the host kernel cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

if unpacked libvirt "a domain of libvirt" "this is not Debian" \
	"libvirt can be unpacked"; then
	boot_tap vmm_libvirt -r -m 2G -t 1200 -- /scenario/vmm_libvirt.sh "$OUT/vmm" \
		"$unpacked" "$TOP/vmm/examples/offmap-qemu"
fi
