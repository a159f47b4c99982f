#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel of arm64 tests about itself.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# the unit of page blocks is 2, 32 or 512 MiB
case ${FLAVOUR:-} in
16k) MEM=4G ;;
64k) MEM=8G ;;
*) MEM=2G ;;
esac

boot_tap arm64_kunit -c 4 -m $MEM -t 600 -a kunit.enable=1 -- /scenario/kunit.sh nodirmap_convert \
	nodirmap nodirmap_scrub nodirmap_folios nodirmap_fill mermap mermap_no_mm freetype nodirmap_blocks nodirmap_owner nodirmap_check
