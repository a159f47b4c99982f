#!/bin/bash
# SPDX-License-Identifier: MIT
# Failures on the way out of the direct map unwind.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap faults -a nodirmap=off -m 1G -t 300 -- /scenario/faults.sh
boot_tap faults_blocks -m 1G -t 300 -- /scenario/faults_blocks.sh
