#!/bin/bash
# SPDX-License-Identifier: MIT
# arm64 machines that differ in what matters here: whether KVM has to maintain
# caches, where it runs, and how the direct map is made.
set -euo pipefail
export ARCH=arm64
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

boot_tap arm64_coherent -- /scenario/caches.sh coherent
boot_tap arm64_no_fwb -q "-cpu cortex-a76" -- /scenario/caches.sh
boot_tap arm64_no_vhe -q "-cpu cortex-a57" -- /scenario/caches.sh
# to go in and out of a guest takes long where EL2 belongs to the hypervisor
for mode in nvhe protected; do
	boot_tap "arm64_$mode" -t 900 -a "kvm-arm.mode=$mode" -- /scenario/selftests.sh core
done
for rodata in off noalias; do
	boot_tap "arm64_rodata_$rodata" -a "rodata=$rodata" -- \
		/scenario/refused.sh 'not made of pages'
done
boot_tap arm64_nested -a kvm-arm.mode=nested -- /scenario/refused.sh 'nested virtualization'
