#!/bin/bash
# SPDX-License-Identifier: MIT
# The same protection on arm64: three ways to look for what must be absent, KVM's
# selftests, and the demo.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap arm64_absence -m 1G -t 300 -- /scenario/absence.sh
boot_tap arm64_absence_nodirmap_off -m 1G -t 300 -a nodirmap=off -- \
	/scenario/absence.sh nodirmap=off
boot_tap arm64_selftests -m 2G -t 600 -- /scenario/selftests.sh core
boot_tap arm64_demo -m 1G -t 300 -- /scenario/demo_small.sh
