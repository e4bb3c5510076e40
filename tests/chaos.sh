#!/usr/bin/env bash
# Plans of the mini world (nemesis plan) while their tasks are killed, run twice, stopped for a while, run
# into full disks, and while pieces and checkpoints are cut short and flipped: every plan must come to the
# bytes of one machine in the end. On Slurm, tasks are requeued and node daemons die as well.
# usage: chaos.sh NEMESIS [EVENTS [xargs|slurm]]. SEED chooses the events. The last line is
# `N passed, N failed`, one for each run that was put together.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cluster.sh"
nemesis=$(realpath "$1") weights=$here/../demo/mini.nw
events=${2:-40} way=${3:-xargs}
a_round=10  # events while one plan runs
resubmit=40 # times at most
RANDOM=${SEED:-1}
passed=0 failed=0 happened=0
declare -A count=() size=()

folder=$(mktemp -d "${TMPDIR:-/tmp}/nemesis-chaos.XXXXXX") || exit 1
end() {
    cluster_stop
    for process in $(jobs -p) $(tasks); do
        kill -KILL "$process" 2>/dev/null
    done
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' INT TERM
cd "$folder" || exit 1
cp "$weights" mini.nw || exit 1

if [ "$way" = slurm ]; then
    lack=$(cluster_lacks)
    if [ -n "$lack" ]; then
        echo "skipped $lack"
        echo '0 passed, 0 failed, 1 skipped'
        exit 0
    fi
    cluster_start "$folder/cluster" 2 || {
        cat cluster/*.log
        echo 'FAILED  the cluster does not come up'
        exit 1
    }
fi

# ---- what may happen -------------------------------------------------------------------------------

chosen() { # one of the words, or nothing
    [ $# -eq 0 ] || eval "printf '%s\n' \"\${$((RANDOM % $# + 1))}\""
}

# Processes of attempts at the plan's pieces: work/PIECE.NUMBER.HOST.PROCESS. A number may be another
# program's by now.
tasks() {
    local attempt process
    for attempt in "$folder"/plan.*/work/*.*.*.*; do
        process=${attempt##*.}
        grep -q "$folder/plan\." "/proc/$process/cmdline" 2>/dev/null && echo "$process"
    done
}

piece() {
    echo $((RANDOM % pieces))
}

shard() { # in the background: the shell becomes the task
    exec "$nemesis" shard -q -t 1 "$folder/plan.$verb" "$1" >>said 2>&1
}

kill_by() {
    local task
    task=$(chosen $(tasks))
    [ -n "$task" ] && kill "-$1" "$task" 2>/dev/null
}

event_terminated() {
    kill_by TERM
}

event_killed() {
    kill_by KILL
}

event_stopped() { # and the others do its work meanwhile
    local task
    task=$(chosen $(tasks))
    [ -n "$task" ] && kill -STOP "$task" 2>/dev/null || return 1
    (
        sleep $((RANDOM % 4 + 1))
        kill -CONT "$task" 2>/dev/null
    ) &
}

event_twice() {
    local which
    which=$(piece)
    shard "$which" &
    shard "$which" &
}

event_full() { # a file may have so many blocks of 1 kB
    local which blocks=$((RANDOM % 30))
    which=$(piece)
    (
        ulimit -f $blocks
        shard "$which"
    ) &
}

a_file() {
    chosen "plan.$verb"/pieces/* "plan.$verb"/work/*/*.checkpoint
}

event_torn() {
    local file size
    file=$(a_file)
    size=$(stat -c %s "$file" 2>/dev/null) && [ "$size" -gt 0 ] &&
        truncate -s $((RANDOM * 32768 % size)) "$file" 2>/dev/null
}

event_flipped() {
    local file size at byte
    file=$(a_file)
    size=$(stat -c %s "$file" 2>/dev/null) && [ "$size" -gt 0 ] || return 1
    at=$(((RANDOM * 32768 + RANDOM) % size))
    byte=$(od -An -tu1 -j $at -N 1 "$file" | tr -d ' ')
    [ -n "$byte" ] && printf "\\$(printf %03o $((byte ^ 1 << RANDOM % 8)))" |
        dd of="$file" bs=1 seek=$at conv=notrunc status=none 2>/dev/null
}

event_requeued() {
    local job
    job=$(chosen $(squeue -h -t R -o %i))
    [ -n "$job" ] && scontrol requeue "$job" 2>>said
}

event_node() { # for longer than Slurm waits (SlurmdTimeout), or not
    local node=$((RANDOM % 2 + 1)) seconds=$((RANDOM % 4 ? RANDOM % 4 : 14))
    cluster_kill $node
    sleep $seconds
    for _ in 1 2 3; do
        cluster_node $node 2>>said && return
        sleep 1
    done
    return 1
}

# One event that could happen. What it needs may not be there: a task, a piece.
something() {
    local kinds='terminated killed stopped twice full torn flipped' kind
    [ "$way" = slurm ] && kinds="$kinds requeued requeued node"
    kind=$(chosen $kinds)
    "event_$kind" || return
    happened=$((happened + 1))
    count[$kind]=$((${count[$kind]:-0} + 1))
}

# ---- a plan ----------------------------------------------------------------------------------------

start() {
    if [ "$way" = slurm ]; then
        sh "plan.$verb/run.sbatch" "$folder/run" >>said 2>&1
    else
        sh "plan.$verb/run.sh" "$folder/run" 4 >>said 2>&1 &
        crew=$!
    fi
}

is_running() {
    if [ "$way" = slurm ]; then
        [ -n "$(squeue -h -o %i 2>&1)" ]
    else
        kill -0 $crew 2>/dev/null
    fi
}

finish() {
    local end=$((SECONDS + 300))
    while is_running && [ $SECONDS -lt $end ]; do
        sleep 0.2
    done
}

play() {
    local this=0 before tries why
    rm -rf run "plan.$verb"/pieces/* "plan.$verb"/work/*
    for ((tries = 0; tries < resubmit; tries++)); do
        [ -e run/run.json ] && break
        start
        while is_running && [ $this -lt $a_round ]; do
            sleep 0.$((RANDOM % 5 + 1))
            before=$happened
            something
            this=$((this + happened - before))
        done
        finish
    done
    wait 2>>said
    if why=$(python3 "$here/same_run.py" "one.$verb" run 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s after %d submissions: %s\n' "$verb" $tries "$why"
        tail -n 20 said
    fi
    submissions=$((submissions + tries))
}

# prepare VERB ARGUMENT...: the run on one machine, and its plan.
prepare() {
    verb=$1
    "$nemesis" "$@" -q -t 1 -o "one.$verb" >>said 2>&1 &&
        "$nemesis" plan "$@" --shards 8 -o "$folder/plan.$verb" >>said 2>&1 &&
        size[$verb]=$(sed -n 's/.*: 0 of \([0-9]*\) pieces.*/\1/p' \
            <("$nemesis" plan --status "$folder/plan.$verb") | paste -s -d + | sed 's/^/0+/') &&
        size[$verb]=$((${size[$verb]})) && [ ${size[$verb]} -gt 0 ] && return
    tail -n 5 said
    echo "FAILED  $verb: there is no plan"
    failed=$((failed + 1))
    exit 1
}

submissions=0
"$nemesis" mini --images 100 -q -o world >said 2>&1
"$nemesis" dissect -m mini.nw -l conv4_2 -d world -q -t 1 -o clean >>said 2>&1
prepare dissect -m mini.nw -l conv4_2 -d world
prepare noise clean --type gaussian --std 0.02,0.05,0.1 --store float,jpeg75
prepare attack clean -u detectors:4 --eps 4/255,8/255 --store float,jpeg75
while [ $happened -lt "$events" ] && [ $failed -eq 0 ]; do
    for verb in dissect noise attack; do
        pieces=${size[$verb]}
        play
    done
done
printf '%d events on %s, %d submissions:' $happened "$way" $submissions
for kind in "${!count[@]}"; do
    printf ' %s %d' "$kind" "${count[$kind]}"
done
printf '\n%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
