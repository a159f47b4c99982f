#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself while it boots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kunit -t 300 -c 4 -a kunit.enable=1 -- /scenario/kunit.sh nodirmap_convert nodirmap \
	nodirmap_scrub nodirmap_folios nodirmap_fill mermap mermap_no_mm \
	freetype nodirmap_blocks nodirmap_owner nodirmap_check
# with page table isolation
boot_tap kunit_pti -t 300 -c 4 -a "kunit.enable=1 pti=on" -- \
	/scenario/kunit.sh nodirmap_scrub mermap mermap_no_mm
# with no address left in the TLB of its CPU
boot_tap kunit_strict -t 300 -c 4 -a "kunit.enable=1 mermap=strict" -- \
	/scenario/kunit.sh nodirmap_scrub nodirmap_folios mermap mermap_no_mm
# with two nodes
boot_tap kunit_nodes -t 300 -c 4,sockets=2 -m 2G -q "$(two_nodes 1G 1G)" -a kunit.enable=1 -- \
	/scenario/kunit.sh nodirmap_folios nodirmap_blocks nodirmap_owner nodirmap_check
# where each page leaves the direct map on its own
boot_tap kunit_nodirmap_off -t 300 -a "kunit.enable=1 nodirmap=off" -- \
	/scenario/kunit.sh nodirmap_convert nodirmap nodirmap_fill
