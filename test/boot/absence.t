#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map is absent: three ways to look.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap absence -m 512M -t 300 -- /scenario/absence.sh
