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
# One CPU runs L2 while another punches holes.  The tests before would wait for spinning
# CPUs, which Bochs emulates in turns.
boot_tap intel_selftests_holes -b intel -c 2 -m 512M -t 300 -- \
	/scenario/selftests.sh x86/vmx_no_direct_map_test
# KVM offers posted interrupts to L1 if it has APICv.
boot_tap intel_selftests_posted -b intel -m 512M -t 300 -a kvm_intel.enable_apicv=1 -- \
	/scenario/selftests.sh x86/vmx_posted_intr_no_direct_map_test
