#!/bin/bash
# SPDX-License-Identifier: MIT
# A QEMU that is newer than this machine's boots Linux below offmap run, on memory that
# the host kernel cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

if unpacked qemu "a newer QEMU" "mmdebstrap is missing: sudo make packages" \
	"a newer QEMU can be unpacked"; then
	boot_tap vmm_qemu -r -m 2G -t 1200 -- /scenario/vmm_qemu.sh "$OUT/vmm" \
		"$OUT/build/$ARCH-default/${KERNEL_IMAGE:?}" "$unpacked"
fi
