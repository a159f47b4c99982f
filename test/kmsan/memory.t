#!/bin/bash
# SPDX-License-Identifier: MIT
# No code uses memory before it is written: for `make check-kmsan`, on a kernel with
# KMSAN.  All of RAM is not searched, as KMSAN reports reads of free pages.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kmsan_kunit -c 4 -m 1G -t 120 -a kunit.enable=1 -- /scenario/kunit.sh nodirmap_convert \
	nodirmap nodirmap_scrub nodirmap_fill mermap mermap_no_mm freetype nodirmap_blocks nodirmap_owner nodirmap_check
boot_tap kmsan_mermap -c 4 -m 1G -t 120 -- /scenario/mermap.sh no5lvl lives=1000 stress=10
