#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself while it boots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kunit -t 300 -c 4 -a kunit.enable=1 -- /scenario/kunit.sh direct_map no_direct_map \
	no_direct_map_mermap no_direct_map_unmapped no_direct_map_fill mermap mermap_no_mm \
	freetype unmapped
# with page table isolation
boot_tap kunit_pti -t 300 -c 4 -a "kunit.enable=1 pti=on" -- \
	/scenario/kunit.sh no_direct_map_mermap mermap mermap_no_mm
# with no address left in the TLB of its CPU
boot_tap kunit_strict -t 300 -c 4 -a "kunit.enable=1 mermap=strict" -- \
	/scenario/kunit.sh no_direct_map_mermap no_direct_map_unmapped mermap mermap_no_mm
# with two nodes
boot_tap kunit_nodes -t 300 -c 4,sockets=2 -m 2G -q "$(two_nodes 1G 1G)" -a kunit.enable=1 -- \
	/scenario/kunit.sh no_direct_map_unmapped unmapped
# where each page leaves the direct map on its own
boot_tap kunit_unmapped_off -t 300 -a "kunit.enable=1 unmapped_alloc=off" -- \
	/scenario/kunit.sh direct_map no_direct_map no_direct_map_fill
