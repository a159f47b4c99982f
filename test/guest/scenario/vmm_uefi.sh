#!/bin/sh
# SPDX-License-Identifier: MIT
# OVMF, a UEFI firmware in flash, starts Linux under an unmodified QEMU on memory that
# the host kernel cannot reach.
#
# Arguments: where vmm/ is built, and the kernel to boot, both on the host.
# shellcheck source=/dev/null
. /tap.sh
# shellcheck source=/dev/null
. /host.sh
# shellcheck disable=SC2034 # for vmm_lib.sh
BUILT=$1 KERNEL=$2
# shellcheck source-path=SCRIPTDIR source=vmm_lib.sh
. /scenario/vmm_lib.sh

FIRMWARE=/usr/share/OVMF
FLASH="-drive if=pflash,unit=0,format=raw,readonly=on,file=$FIRMWARE/OVMF_CODE_4M.fd
	-drive if=pflash,unit=1,format=raw,file=/run/vars"

# SeaBIOS knows nothing of that flash.
wrote_variables() { ! cmp $ROOT/run/vars $ROOT$FIRMWARE/OVMF_VARS_4M.fd; }

t "vmm_uefi: the host's root is a place for a VMM" prepare
t "vmm_uefi: flash for the variables of OVMF" cp $ROOT$FIRMWARE/OVMF_VARS_4M.fd $ROOT/run/vars
START=$(holes)
# shellcheck disable=SC2086
t "q35, OVMF: boots to a prompt" boots quiet offmap run --verbose -- $QEMU -m 128 -no-reboot \
	-M q35 -smp 1 $FLASH
t "q35, OVMF: the firmware has written its variables" wrote_variables
t "q35, OVMF: the kernel can reach nothing" absent
t "q35, OVMF: there are holes in the direct map" test "$(holes)" -gt "$START"
t "q35, OVMF: the VMM is killed" stop
t "q35, OVMF: no page stays out of the direct map" holes_are "$START"
plan
