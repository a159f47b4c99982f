#!/bin/bash
# SPDX-License-Identifier: MIT
# liboffmap and the offmap command as built for arm64: their unit tests, and small VMMs under
# offmap run, which offmap audit judges.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap arm64_vmm -m 1G -t 300 -i "$OUT/vmm-arm64/vmm.cpio" -- /scenario/vmm_small.sh
boot_tap arm64_vmm_refused -m 1G -a rodata=off -i "$OUT/vmm-arm64/vmm.cpio" -- \
	/scenario/vmm_small.sh refused
