#!/bin/bash
# SPDX-License-Identifier: MIT
# What only arm64 compiles follows the kernel's rules, too.
set -euo pipefail
export ARCH=arm64
exec "$(dirname "$0")/../host/kernel_style.t"
