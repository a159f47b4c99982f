#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map, and the other needs of a machine.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap pressure -m 1G -t 600 -- /scenario/pressure.sh
