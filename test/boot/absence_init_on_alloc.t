#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent, too, when all pages are cleared at allocation, and at free.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# not both in one boot: a page that is cleared at free is not cleared at allocation
for arg in init_on_alloc=1 init_on_free=1; do
	boot_tap "absence_${arg%=1}" -m 512M -t 300 -a "$arg" -- /scenario/absence.sh "$arg"
done
