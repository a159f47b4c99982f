#!/bin/bash
# SPDX-License-Identifier: MIT
# offmap audit and offmap stat on the kernel, with VMMs that mislead.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap audit_test -r -m 2G -t 900 -- /scenario/audit.sh "$OUT/vmm/bin/offmap"
