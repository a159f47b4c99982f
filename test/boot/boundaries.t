#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map, and what else a kernel does with memory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap boundaries -c 4,sockets=2 -m 8G -t 900 \
	-q "$(two_nodes 2G 6G) -device virtio-balloon-pci,free-page-reporting=on" -- \
	/scenario/boundaries.sh
