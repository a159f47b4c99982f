#!/bin/bash
# SPDX-License-Identifier: MIT
# The same protection on arm64: what the kernel tests about itself, KVM's
# selftests, three ways to look for what must be absent, and the demo.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap arm64_kunit -c 4 -a kunit.enable=1 -- /scenario/kunit.sh direct_map no_direct_map \
	no_direct_map_mermap no_direct_map_fill mermap mermap_no_mm freetype unmapped
boot_tap arm64_absence -m 1G -t 300 -- /scenario/absence.sh
boot_tap arm64_absence_unmapped_off -m 1G -t 300 -a unmapped_alloc=off -- \
	/scenario/absence.sh unmapped_alloc=off
boot_tap arm64_selftests -t 600 -- /scenario/selftests.sh core
boot_tap arm64_demo -m 1G -t 300 -- /scenario/demo_small.sh
