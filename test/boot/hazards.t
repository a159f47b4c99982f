#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory failure and hibernation leave such memory alone.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

MEM=1G
# an image takes half of what is free, and KASAN has its part already
[ "${FLAVOUR:-}" != debug ] || MEM=2G
boot_tap hazards -m $MEM -t 300 -- /scenario/hazards.sh
boot_tap hazards_nodirmap_off -a nodirmap=off -m $MEM -t 300 -- /scenario/hazards.sh
