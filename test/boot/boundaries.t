#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map, and what else a kernel does with memory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

nodes="-object memory-backend-ram,id=m0,size=2G -object memory-backend-ram,id=m1,size=6G"
nodes+=" -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1"

boot_tap boundaries -c 4,sockets=2 -m 8G -t 900 -q "$nodes" -- /scenario/boundaries.sh
