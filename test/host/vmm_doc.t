#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/vmm.md lists the calls that the filter of offmap run asks for and refuses, and
# those that a VMM is made to make.  The code has no others.
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

DOC=$TOP/docs/vmm.md
RUN=$TOP/vmm/run

sorted() { LC_ALL=C sort -u; }
# names: of calls, requests, flags and advice in C code, as the docs write them
names() { grep -oE '\b(SYS|KVM|MAP|MREMAP|MADV|SHM)_[A-Za-z0-9_]+' | sed 's/^SYS_//' | sorted; }
# quoted COLUMN: the words in backquotes there
quoted() { awk -F'|' -v c=$(($1 + 1)) '{ print $c }' | grep -o '`[^`]*`' | tr -d '`' | sorted; }
# section TITLE
section() { sed -n "/^### $1\$/,/^###* /p" "$DOC" | grep '^| '; }
# list NAME: of calls.h, to the end of its definition
list() { sed -n "/^#define $1\\b/,/[^\\\\]\$/p" "$RUN/calls.h" | sed 's/^#define [A-Z_]*//' | names; }
# row TEXT: the calls that the docs give this one
row() { section 'Calls that the VMM is made to make' | grep "^| $1 |" | quoted 2; }

# The calls that it makes itself are no part of the filter, nor is the base of ioctls.
filter() { grep -v 'syscall(' "$RUN/filter.c" | names; }
is "docs/vmm.md lists the calls that the filter looks at" \
	"$(section 'Calls that the supervisor is asked for' | quoted 1 | grep -v '^int ')" "$(filter)"
is "offmap run --verbose counts all that are asked for" \
	"$(sed -n '/^} asked\[\] = {/,/^};/p' "$RUN/supervise.c" | grep -o 'SYS_[a-z_]*' | names)" \
	"$(section 'Calls that the supervisor is asked for' | sed '/^| `process_madvise`/,$d' | quoted 1 | grep '^[a-z]')"

is "docs/vmm.md: calls of the thread" "$(row 'the thread that makes the VM')" "$(list CALLS_OF_THREAD)"
is "docs/vmm.md: calls of the task's parent" "$(row 'the parent of the task')" "$(list CALLS_OF_PARENT)"
is "docs/vmm.md: calls of a new task" "$(row 'the task, once')" "$(list CALLS_OF_NEW_TASK)"
is "docs/vmm.md: calls of the task" "$(row 'the task, from then on')" "$(list CALLS_OF_TASK)"
is "docs/vmm.md: calls of the task with some arguments" "$(row 'the task, with some arguments')" \
	"$({ list LIMITED_CALLS_OF_TASK && list IOCTLS_OF_TASK; } | sorted)"
