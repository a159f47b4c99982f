#!/bin/bash
# SPDX-License-Identifier: MIT
# A Linux guest under Debian's unmodified QEMU has a disk from another process, by
# vhost-user, on memory that the host kernel cannot reach.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_share
