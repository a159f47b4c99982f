#!/bin/bash
# SPDX-License-Identifier: MIT
# Nothing uses memory that nobody has written: for `make check-kmsan`, on a kernel
# with KMSAN.  Not the search of all RAM: it reads what is free, too, which KMSAN
# reports.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kmsan_kunit -c 4 -m 1G -t 120 -a kunit.enable=1 -- /scenario/kunit.sh nodirmap_convert \
	nodirmap nodirmap_scrub nodirmap_fill mermap mermap_no_mm freetype nodirmap_blocks nodirmap_owner nodirmap_check
boot_tap kmsan_mermap -c 4 -m 1G -t 120 -- /scenario/mermap.sh no5lvl lives=1000 stress=10
