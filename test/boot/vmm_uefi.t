#!/bin/bash
# SPDX-License-Identifier: MIT
# OVMF starts Linux below offmap run, on memory that the host kernel cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

if [ ! -e /usr/share/OVMF/OVMF_CODE_4M.fd ]; then
	skip "a guest with OVMF" "ovmf is missing: sudo make packages"
	exit 0
fi
# QEMU aborts on the clock of the machine: docs/lab.md, "What QEMU gets wrong"
boot_vmm vmm_uefi -I -c 1 -t 2400
