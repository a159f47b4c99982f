#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent under slub_debug, too, which writes to all objects of slabs, while
# the allocator works on whole blocks first.  KUnit's suites run as well.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

args="slub_debug=FZPU sysctl.vm.defrag_mode=1"
# shellcheck disable=SC2086
boot_tap absence_slub_debug -m 512M -t 300 -a "$args" -- /scenario/absence.sh $args
boot_tap kunit_slub_debug -t 300 -a "kunit.enable=1 $args" -- /scenario/kunit.sh again \
	nodirmap_convert nodirmap nodirmap_fill mermap mermap_no_mm freetype nodirmap_blocks nodirmap_owner nodirmap_check
