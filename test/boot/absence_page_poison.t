#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent, too, when free pages are poisoned, and checked at allocation.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# pages that come back into the direct map hold the pattern
boot_tap kunit_page_poison -m 1G -t 300 -a "page_poison=1 kunit.enable=1" -- \
	/scenario/kunit.sh nodirmap_blocks nodirmap_owner nodirmap_check
boot_tap absence_page_poison -m 512M -t 300 -a page_poison=1 -- \
	/scenario/absence.sh page_poison=1
