#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's unmodified QEMU boots Linux on memory that the host kernel cannot reach.
# offmap audit says so, and says the contrary of a plain VM.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm
