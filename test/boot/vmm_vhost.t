#!/bin/bash
# SPDX-License-Identifier: MIT
# A Linux guest under Debian's unmodified QEMU talks by vhost-net and vhost-vsock to
# the host kernel, which cannot reach its memory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_vhost
