#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent, too, when user space has page tables of its own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap absence_pti -m 512M -t 300 -a pti=on -- /scenario/absence.sh pti=on
