# docs/measured/maps/runs.sh - what the scripts that attack maps share.
#
#   measure NAME ARGUMENTS...   one run of `manipulate`, a pair on each core at a time; its tables
#                               become FOLDER/NAME-measures.csv and FOLDER/NAME-smoothing.csv. What is
#                               there is not run again, and an interrupted run goes on where it was.
#   measure_main N M            the main runs, on N and M pairs; $pairs is what stands before a
#                               number of pairs on their command lines
# Set before: network, names (the words of the command line; none: all). Work is kept in $WORK.
study=maps
. docs/measured/common.sh

measure() {
    name=$1
    shift
    is_wanted "$name" || return 0
    if [ -e "$folder/$name-smoothing.csv" ]; then
        echo "$network $name: measured before"
        return 0
    fi
    echo "$network $name: runs"
    [ -e "$work/$name.plan/plan.json" ] ||
        "$nemesis" plan manipulate -m "$work/network.nw" -s 0 --conv direct --store float,png8,jpeg75 \
            "$@" --shards 50 -o "$work/$name.plan" -q
    sh "$work/$name.plan/run.sh" "$work/$name" >"$work/$name.txt" 2>&1
    shorten "$work/$name/measures.csv" "$folder/$name-measures.csv"
    shorten "$work/$name/smoothing.csv" "$folder/$name-smoothing.csv"
}

# The methods of the study on $1 pairs each, as they are and smoothed by beta; on $2 pairs a fixed
# beta while the gradient's map is attacked (growing is the run `gradient`).
measure_main() {
    for method in gradient lrp gradient-x-input guided pattern; do
        measure $method $pairs $1 --method $method
        measure $method-beta $pairs $1 --method $method --preset table5
    done
    for beta in 10 100 1000; do
        measure gradient-fixed$beta $pairs $2 --method gradient --beta $beta
    done
}

# The network, and patterns of photos that are explained in no run.
prepare() {
    [ -e "$work/network.nw" ] || python3 weights/convert.py "$data/weights/$1" -o "$work/network.nw"
    [ -e "$work/patterns.nw" ] || "$nemesis" patterns -m "$work/network.nw" -d "$data/$2" -o "$work/patterns.nw" --resume -q
}
