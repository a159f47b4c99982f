#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map is absent on Intel: three ways to look.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "absence on Intel"
# a scan takes its time, by the size of RAM
boot_tap intel_absence -b intel -m 256M -t 600 -- /scenario/absence.sh
# The kernel of one CPU looks for stale entries of another.
boot_tap intel_absence_cpus -b intel -c 2 -m 256M -t 300 -- /scenario/absence.sh cpus
