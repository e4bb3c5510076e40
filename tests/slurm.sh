#!/usr/bin/env bash
# The main job (dissect, noise, attack) in plans of 8 shards on a cluster of Slurm: two nodes of this
# machine, real daemons, each plan by its run.sbatch. The runs must have the bytes of one machine.
# usage: slurm.sh NEMESIS [PHOTOS]: of broden_mini where $NEMESIS_DATA has it, else of the mini world. The
# last line is `N passed, N failed`.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cluster.sh"
nemesis=$(realpath "$1") photos=${2:-16}
data=$(realpath "${NEMESIS_DATA:-../shared/data}" 2>/dev/null)
passed=0 failed=0
lack=$(cluster_lacks)
if [ -n "$lack" ]; then
    echo "skipped $lack"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/nemesis-slurm.XXXXXX") || exit 1
trap 'cluster_stop; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
cd "$folder" || exit 1

if [ -d "$data/broden_mini" ]; then
    world=$data/broden_mini layer=conv3_3
    python3 "$here/../weights/convert.py" "$data/weights/vgg16_imagenet_conv1_1-conv3_3" \
        --arch vgg16 -o network.nw >said 2>&1 || exit 1
else
    world=world layer=conv4_2
    cp "$here/../demo/mini.nw" network.nw
    "$nemesis" mini --images "$photos" -q -o world >said 2>&1 || exit 1
fi
cluster_start "$folder/cluster" 2 || {
    cat cluster/*.log
    echo 'FAILED  the cluster does not come up'
    exit 1
}

# check VERB ARGUMENT...: the run ONE.VERB on one machine, RUN.VERB by Slurm.
check() {
    local verb=$1 start=$SECONDS why
    "$nemesis" "$@" -q -o "one.$verb" >>said 2>&1 &&
        "$nemesis" plan "$@" --shards 8 -o "plan.$verb" >>said 2>&1 &&
        sh "plan.$verb/run.sbatch" "$folder/run.$verb" >>said 2>&1 && cluster_wait 1800
    if why=$(python3 "$here/same_run.py" "one.$verb" "run.$verb" 2>&1); then
        passed=$((passed + 1))
        printf 'ok      %s, %s: %d s\n' "$verb" \
            "$("$nemesis" plan --status "plan.$verb" | head -n 1)" $((SECONDS - start))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n' "$verb" "$why"
        tail -n 20 said "plan.$verb"/work/*.log
    fi
}

check dissect -m network.nw -l $layer -d "$world" --limit "$photos"
check noise one.dissect --type gaussian --std 0.02,0.05,0.1 --store float,jpeg75
check attack one.dissect -u detectors:4 --eps 2/255,4/255 --steps 4 --store float
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
