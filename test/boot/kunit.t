#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself while it boots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kunit -- /scenario/kunit.sh direct_map no_direct_map mermap mermap_no_mm
# with page table isolation, and with what exists for more than two CPUs
boot_tap kunit_pti -c 4 -a pti=on -- /scenario/kunit.sh mermap mermap_no_mm
