#!/bin/bash
# SPDX-License-Identifier: MIT
# Twenty seconds of the work that `make soak` does for an hour.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap soak -c 4 -m 1G -t 600 -- /scenario/soak.sh 20
