#!/bin/sh
# Three methods on the same units of the demo's network, under noise and designed perturbations. All
# of it is drawn or built in; photos are of a seed that no training and no choice has seen.
# usage: sh docs/measured/methods/mini.sh [NAME...]: dissection milan soft-wpmi cosine-cubed
# What is there is not run again, and an interrupted run goes on where it was. The sample of
# detectors is drawn by the attack on the dissection, so that comes first.
study=methods
network=mini
names=$*
. docs/measured/common.sh
layer=conv4_2
seed=31
strengths=2/255,4/255,8/255
[ -e "$work/world/index.csv" ] || "$nemesis" mini --images 400 -s $seed -q -o "$work/world"

# What became of each unit: of changes.csv the columns that tables.py reads.
outcomes() {
    cut -d, -f1,2,4,6,7,9,11,15,19 "$1/changes.csv" >"$1/outcomes.csv"
    shorten "$1/outcomes.csv" "$2"
}

# described NAME METHOD [OPTIONS]: a clean run
described() {
    out=$1 method=$2
    shift 2
    "$nemesis" describe --method "$method" -m demo/mini.nw -l $layer -d "$work/world" "$@" \
        -o "$work/$out" --resume -q >"$work/$out.txt"
}

# attacked NAME RUN UNITS [OPTIONS]: PGD of ten steps on these units of a clean run, NAME.csv
attacked() {
    out=$1 clean=$2 units=$3
    shift 3
    "$nemesis" attack "$work/$clean" -u "$units" --eps "$strengths" --store float -s 0 "$@" \
        -o "$work/$out" --resume -q >"$work/$out.txt"
    outcomes "$work/$out" "$folder/$out.csv"
}

# measure NAME METHOD UNITS [OPTIONS]: a clean run, noise on all photos, PGD
measure() {
    name=$1 method=$2 units=$3
    shift 3
    is_wanted "$name" || return 0
    if [ -e "$folder/$name-attack.csv" ]; then
        echo "$name: measured before"
        return 0
    fi
    echo "$name: runs"
    described "$name" "$method" "$@"
    shorten "$work/$name/units.csv" "$folder/$name-units.csv"
    for noise in gaussian:0.02,0.05 uniform:0.031372549; do
        out=$name-${noise%%:*}
        "$nemesis" noise "$work/$name" --type "${noise%%:*}" --std "${noise#*:}" --store float -s 0 \
            -o "$work/$out" --resume -q >"$work/$out.txt"
        outcomes "$work/$out" "$folder/$out.csv"
    done
    attacked "$name-attack" "$name" "$units"
}

measure dissection dissection detectors:16
sample=$(awk -F, 'NR > 1 && !seen[$3]++ { units = units comma $3; comma = "," } END { print units }' \
    "$folder/dissection-attack.csv")
measure milan milan "$sample"
measure soft-wpmi clip-dissect "$sample" --concepts demo/concepts.txt
measure cosine-cubed clip-dissect "$sample" --concepts demo/concepts.txt \
    --similarity cosine-cubed --pool max

# Two more attacks on soft-wpmi: by a relaxation of its ranks, and with D computed anew.
is_wanted soft-wpmi || exit 0
[ -e "$folder/soft-wpmi-relaxed.csv" ] ||
    attacked soft-wpmi-relaxed soft-wpmi "$sample" --loss soft-wpmi
if ! [ -e "$folder/soft-wpmi-anew.csv" ]; then
    described soft-wpmi-anew-clean clip-dissect --concepts demo/concepts.txt --coupling anew
    attacked soft-wpmi-anew soft-wpmi-anew-clean "$sample"
fi
