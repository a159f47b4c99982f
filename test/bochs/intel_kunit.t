#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself, where INVLPG drops one translation and no more.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "the suites of KUnit on Intel"
boot_tap intel_kunit -b intel -c 4 -m 1G -t 300 -a kunit.enable=1 -- /scenario/kunit.sh \
	nodirmap_convert nodirmap nodirmap_scrub nodirmap_folios nodirmap_fill \
	mermap mermap_no_mm freetype nodirmap_blocks nodirmap_owner nodirmap_check
# with no address left in the TLB of its CPU
boot_tap intel_kunit_strict -b intel -c 4 -m 1G -t 300 -a "kunit.enable=1 mermap=strict" -- \
	/scenario/kunit.sh nodirmap_scrub nodirmap_folios mermap mermap_no_mm
