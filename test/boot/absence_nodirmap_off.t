#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory is absent, too, when each page is taken out and put back on its own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

args=nodirmap=off

boot_tap absence_nodirmap_off -m 512M -t 300 -a "$args" -- /scenario/absence.sh $args
