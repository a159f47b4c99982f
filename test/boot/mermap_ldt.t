#!/bin/bash
# SPDX-License-Identifier: MIT
# The LDT works along with the mermap, with which it shares a region.  This holds with
# 5 and 4 levels of page tables, without and with page table isolation.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap ldt -c 4 -m 1G -t 900 -- /scenario/mermap.sh ldt=between ldt=during
boot_tap ldt_4level -c 4 -m 1G -t 900 -a no5lvl -- \
	/scenario/mermap.sh no5lvl ldt=before
boot_tap ldt_pti -c 4 -m 1G -t 900 -a pti=on -- \
	/scenario/mermap.sh pti=on ldt=between
boot_tap ldt_pti_4level -c 4 -m 1G -t 900 -a "pti=on no5lvl" -- \
	/scenario/mermap.sh pti=on no5lvl ldt=before
