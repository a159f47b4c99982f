#!/bin/bash
# SPDX-License-Identifier: MIT
# The model of large hosts: its policies differ as those of the kernel do, and
# docs/model.md has its output.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

needs_bench "the model of large hosts"
WORK=$(mktemp -d)
trap 'status=$?; rm -rf "$WORK"; tap_exit $status' EXIT
unset MAKEFLAGS MAKELEVEL
export OUT=$WORK ARCH=x86_64
MODEL=$WORK/bench/model/model
KERNEL=$TOP/kernel/tree/mm/nodirmap

build() { make -s -C "$TOP/bench/model" O="${MODEL%/*}"; }

# The host of test/guest/host_of_vms.c, with half and with nine tenths of its memory used.
roomy() { "$MODEL" --json --memory=680M --file=56M --vms=8 --survivors=1 --nodes=1 "$@"; }
tight() { "$MODEL" --json --memory=660M --file=96M --vms=8 --survivors=1 --nodes=1 "$@"; }

# one_vm SIZE: alone on a cold host, populates all of its file
one_vm() {
	"$MODEL" --json --memory=4G --nodes=1 --vms=1 --survivors=0 --steps=0 --live=100 --file="$1"
}

# holds FILTER FILE: is it true of the output of the model?
holds() { [ -s "$2" ] && { jq -e "$1" "$2" || ! cat "$2"; }; }

# refuses STATUS SAYING OPTION...
refuses() {
	local status=$1 saying=$2 got=0
	shift 2
	"$MODEL" "$@" >"$WORK/says" 2>&1 || got=$?
	is "$*: exit $status" "$got" "$status"
	like "$*: a message" "$(cat "$WORK/says")" "$saying"
}

constant() { sed -nE "s/^#define $1[[:space:]]+([0-9]+)$/\1/p" "${@:2}"; }

ok "it builds without a warning" build
for name in MAX_TAKE PAUSE BATCH RESERVE_BLOCKS TRIM_BLOCKS; do
	is "$name is that of the kernel" "$(constant $name "$TOP/bench/model/policy.c")" \
		"$(constant $name "$KERNEL/owner.c" "$KERNEL/blocks.c")"
done

for host in roomy tight; do
	for steps in 400000 4000000; do
		$host --steps=$steps >"$WORK/$host" || :
		ok "$host, $steps steps: owned blocks stick by 2 % at most" \
			holds '.policies.owned.stuck <= 2' "$WORK/$host"
		ok "$host, $steps steps: shared ones by more than 80 %" \
			holds '.policies.shared.stuck > 80' "$WORK/$host"
		ok "$host, $steps steps: no page leaves the map alone" \
			holds '.policies.owned.singles == 0' "$WORK/$host"
	done
done
ok "random steps need no more blocks" holds '.policies.owned.churn < 1' "$WORK/roomy"
ok "a back-log is there at the exit, and gone in 10 s" \
	holds '.policies.owned | .backlog > 250 and .backlog_10 == 0' "$WORK/roomy"
ok "ordinary requests need some of the blocks of the dead" \
	holds '.policies.owned.ordinary | . > 0 and . < 200' "$WORK/roomy"
tight --steps=400000 --lives=1 --rate=64G >"$WORK/lives" || :
ok "a VM that starts at once has the blocks of the one before" \
	holds '.policies.owned | .replace < .start / 8' "$WORK/lives"
"$MODEL" --json --memory=64M --nodes=1 --file=64M --live=98 --vms=1 --survivors=0 --steps=0 >"$WORK/full" || :
ok "where no block is to be had pages leave the map alone" \
	holds '.policies.owned | .singles > 0 and .singles < 2000' "$WORK/full"

one_vm 1G >"$WORK/cold" || :
ok "1 GiB takes 24 broadcasts at most" holds '.policies.owned.start <= 24' "$WORK/cold"
ok "or one for each block, or one for each page" \
	holds '[.policies.shared.start, .policies.pages.start] == [512, 262144]' "$WORK/cold"
one_vm 128M >"$WORK/cold" || :
ok "128 MiB take 10 broadcasts at most" holds '.policies.owned.start / 8 <= 10' "$WORK/cold"
ok "they are more in a GiB" holds '.policies.owned.start > 24' "$WORK/cold"

roomy >"$WORK/again"
roomy --seed=1 >"$WORK/first"
ok "the same seed gives the same figures" cmp "$WORK/first" "$WORK/again"
roomy --seed=2 | jq .policies >"$WORK/again"
not_ok "another one gives others" cmp <(jq .policies "$WORK/first") "$WORK/again"

refuses 2 "--nodes: '9' is not a number from 1 to 8" --nodes=9
refuses 2 "--vms: 'x' is not a number from 1 to 256" --vms=x
refuses 2 "--memory: '1Q' is not a number" --memory=1Q
refuses 2 "--steps: '-1' is not a number" --steps=-1
refuses 2 "there are only 4 VMs" --vms=4
refuses 2 "'now' is not an option" now
refuses 2 'usage: model' --colour
refuses 1 "memory of the host is full, with 'owned'" --memory=1G --vms=8 --file=256M

cp "$TOP/docs/model.md" "$WORK/model.md"
ok "the tables of docs/model.md are written anew" "$TOP/bench/model/tables" "$WORK/model.md"
is "they were as the model prints them" "$(cat "$TOP/docs/model.md")" "$(cat "$WORK/model.md")"
ok "there are such tables" test "$(grep -cE '^<!-- (model|lab).*-->$' "$WORK/model.md")" -ge 5

# close FILE: are most blocks of lab and model within 2 % of each other?
close() {
	awk -F ' *[|] *' '$4 == "most memory in blocks" {
			n++
			if (($6 - $7) ^ 2 > ($6 / 50) ^ 2) bad = 1
		}
		END { exit bad || n != 2 }' "$1"
}
sed '/lab -->/,/end -->/!d' "$WORK/model.md" >"$WORK/lab.md"
ok "lab and model have about the same memory in blocks" close "$WORK/lab.md"
sed -E '/most memory/s/[0-9]+ \|$/1 |/' "$WORK/lab.md" >"$WORK/old.md"
not_ok "other figures are seen" close "$WORK/old.md"
ok "and written anew" "$TOP/bench/model/tables" "$WORK/old.md"
ok "so that they are as before" cmp "$WORK/old.md" "$WORK/lab.md"
sed -i '/end -->/d' "$WORK/old.md"
not_ok "a table without an end is refused" "$TOP/bench/model/tables" "$WORK/old.md"
