#!/bin/bash
# SPDX-License-Identifier: MIT
# A Linux guest under Debian's unmodified QEMU uses its machine, on memory that
# the host kernel cannot reach: clock, disk, network, balloon, snapshots.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_devices
