#!/bin/bash
# SPDX-License-Identifier: MIT
# KVM's selftests on memory out of the direct map, with VMX: nested guests too, and
# once without EPT.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "KVM's selftests on Intel"
boot_tap intel_selftests -b intel -m 1G -t 900 -- /scenario/selftests.sh short
boot_tap intel_selftests_no_ept -b intel -m 1G -t 600 -a kvm_intel.ept=0 -- \
	/scenario/selftests.sh core short
