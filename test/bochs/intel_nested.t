#!/bin/bash
# SPDX-License-Identifier: MIT
# KVM's own selftests of nested VMX on memory out of the direct map, where one CPU is not
# enough, or where KVM needs a parameter.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bochs "nested guests on Intel"
# One CPU runs L2 while another punches holes.
boot_tap intel_nested_holes -b intel -c 2 -m 512M -t 300 -- \
	/scenario/selftests.sh x86/vmx_no_direct_map_test
# KVM offers posted interrupts to L1 if it has APICv.
boot_tap intel_nested_posted -b intel -m 512M -t 300 -a kvm_intel.enable_apicv=1 -- \
	/scenario/selftests.sh x86/vmx_posted_intr_no_direct_map_test
