#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory failure and hibernation leave such memory alone.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap hazards -m 1G -t 300 -- /scenario/hazards.sh
boot_tap hazards_unmapped_off -a unmapped_alloc=off -m 1G -t 300 -- /scenario/hazards.sh
