#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest of Debian's unmodified QEMU has guests of its own, all of them on memory that
# their kernels cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_nested
