#!/bin/bash
# SPDX-License-Identifier: MIT
# A Linux guest under Debian's unmodified QEMU uses its machine, on memory that
# the host kernel cannot reach: clock, disk, network, balloon, snapshots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
read_conf "$TOP/lab/arch/$ARCH.conf"

if [ ! -x "$OUT/vmm/bin/offmap" ]; then
	tap_fail "vmm/ is built" "run 'make build'"
	exit 1
fi
boot_tap vmm_devices -r -m 2G -t 2400 -- /scenario/vmm_devices.sh \
	"$OUT/vmm" "$OUT/build/$ARCH-default/${KERNEL_IMAGE:?}"
