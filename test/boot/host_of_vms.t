#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory outside the direct map on a host of VMs that populate and punch at random.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap host_of_vms -m 768M -t 600 -- /scenario/host_of_vms.sh
boot_tap host_of_vms_nodes -c 4,sockets=2 -m 2G -t 300 -q "$(two_nodes 1G 1G)" -- \
	/scenario/host_of_vms_nodes.sh
