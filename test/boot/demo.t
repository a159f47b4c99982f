#!/bin/bash
# SPDX-License-Identifier: MIT
# The demo keeps its promise, and would not if the kernel did not.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap demo_test -r -m 1G -t 600 -- /scenario/demo.sh "$OUT/vmm/bin/offmap"
