#!/bin/bash
# SPDX-License-Identifier: MIT
# write() against faults, holes, other writers and four vCPUs, for five minutes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# on one thread, which does more of it: docs/lab.md, "What QEMU gets wrong"
boot_tap write_stress -1 -c 4 -t 1500 -- /scenario/write_stress.sh 150
