#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself, on an AMD whose INVLPG drops one translation and no
# more.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "the suites of KUnit on AMD"
boot_tap amd_kunit -b amd -x "kvm mm" -c 4 -m 1G -t 300 -a kunit.enable=1 -- /scenario/kunit.sh \
	direct_map no_direct_map no_direct_map_mermap no_direct_map_unmapped no_direct_map_fill \
	mermap mermap_no_mm freetype unmapped
