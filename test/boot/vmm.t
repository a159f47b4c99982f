#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's unmodified QEMU boots Linux on memory that the host kernel cannot
# reach, and offmap audit says so; it says the contrary of a plain VM.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

if [ ! -x "$OUT/vmm/bin/offmap" ]; then
	tap_fail "vmm/ is built" "run 'make build'"
	exit 1
fi
boot_tap vmm -r -m 2G -t 2400 -- /scenario/vmm.sh \
	"$OUT/vmm" "$OUT/build/$ARCH-default/${KERNEL_IMAGE:?}"
