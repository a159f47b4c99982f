#!/bin/sh
# SPDX-License-Identifier: MIT
# VMs that are bound to a node populate and punch pages at random there.
# shellcheck source=/dev/null
. /tap.sh

# shellcheck disable=SC2034 # T is for tap.sh
T=240
t "NUMA: VMs that are bound have pages of blocks of their node" \
	host_of_vms nodes 128 200000
plan
