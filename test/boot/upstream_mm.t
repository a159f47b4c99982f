#!/bin/bash
# SPDX-License-Identifier: MIT
# Upstream's selftests (mm) end with the series as they do without it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap upstream_mm -m 4G -t 1800 -- /scenario/upstream.sh compare mm
