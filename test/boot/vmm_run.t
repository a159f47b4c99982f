#!/bin/bash
# SPDX-License-Identifier: MIT
# A static VMM does what VMMs do below offmap run, on memory that the host kernel
# cannot reach.  test/host/vmm_run.t does so with this machine's KVM.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_vmm vmm_run -c 4,sockets=2 -q "$(two_nodes 1G 1G)"
