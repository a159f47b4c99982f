#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel tests about itself while it boots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap kunit -- /scenario/kunit.sh direct_map no_direct_map
