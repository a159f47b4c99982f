#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's unmodified QEMU boots Linux on pages of 2 MiB that the host kernel cannot
# reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_huge
