#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest of Debian's unmodified QEMU has a guest of its own with VMX, both on memory that
# their kernels cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "Linux with KVM in a guest on Intel"
cpio=$("$TOP/lab/host-cpio")
read_conf "$TOP/lab/arch/$ARCH.conf"
boot_tap intel_vmm_nested -b intel -m 1G -t 900 -i "$cpio" -- /scenario/vmm_nested.sh \
	"$OUT/vmm" "$OUT/build/$ARCH-default/${KERNEL_IMAGE:?}" short
