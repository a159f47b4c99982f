#!/bin/bash
# SPDX-License-Identifier: MIT
# The same when all pages are cleared as they are allocated and freed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

args="init_on_alloc=1 init_on_free=1"
# shellcheck disable=SC2086
boot_tap absence_init_on_alloc -m 1G -t 300 -a "$args" -- /scenario/absence.sh $args
