#!/bin/bash
# SPDX-License-Identifier: MIT
# The same when all pages are cleared as they are allocated, and as they are freed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# not both in one boot: what is cleared when it is freed is not when it is allocated
for arg in init_on_alloc=1 init_on_free=1; do
	boot_tap "absence_${arg%=1}" -m 512M -t 300 -a "$arg" -- /scenario/absence.sh "$arg"
done
