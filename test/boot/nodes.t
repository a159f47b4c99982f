#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map on a machine with two nodes, by blocks and page by page.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

nodes="-object memory-backend-ram,id=m0,size=2G -object memory-backend-ram,id=m1,size=2G"
nodes+=" -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1"

boot_tap nodes -c 4,sockets=2 -m 4G -t 600 -q "$nodes" -- /scenario/nodes.sh
boot_tap nodes_unmapped_off -c 4,sockets=2 -m 4G -t 600 -q "$nodes" -a unmapped_alloc=off -- \
	/scenario/nodes.sh
