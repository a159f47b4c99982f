#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory out of the direct map on a machine with two nodes, by blocks and page by page.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap nodes -c 4,sockets=2 -m 4G -t 1500 -q "$(two_nodes 2G 2G)" -- /scenario/nodes.sh
boot_tap nodes_nodirmap_off -c 4,sockets=2 -m 4G -t 1500 -q "$(two_nodes 2G 2G)" -a nodirmap=off -- \
	/scenario/nodes.sh
