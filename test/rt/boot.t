#!/bin/bash
# SPDX-License-Identifier: MIT
# A kernel with PREEMPT_RT boots, and the series works on it: for `make check-rt`.  Its
# spinlocks sleep, so that a lock which is taken in the wrong place is a report.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# KVM wants a TSC that never stops from such a kernel, which QEMU does not promise
export KERNEL_PARAMS="${KERNEL_PARAMS:-} setcpuid=constant_tsc"

boot_tap rt_kunit -c 4 -m 2G -t 300 -a kunit.enable=1 -- /scenario/kunit.sh nodirmap_convert \
	nodirmap nodirmap_scrub nodirmap_folios nodirmap_fill mermap freetype nodirmap_blocks nodirmap_owner
boot_tap rt_selftests -c 4 -m 2G -t 600 -- /scenario/selftests.sh core
boot_tap rt_host_of_vms -m 768M -t 600 -- /scenario/host_of_vms.sh
