#!/bin/bash
# SPDX-License-Identifier: MIT
# Random system calls on guest memory, checked against a model; `make fuzz` does
# it for longer, and from a seed of the day.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap fuzz -m 1G -t 600 -- /scenario/fuzz.sh 20 1
