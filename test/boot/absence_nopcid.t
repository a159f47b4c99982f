#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent, too, when each switch of page tables empties the TLB.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap absence_nopcid -m 512M -t 300 -a nopcid -- /scenario/absence.sh nopcid
