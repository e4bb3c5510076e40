# docs/measured/units/runs.sh - what the scripts that corrupt explanations of units share.
#
#   prepare FILE OPTIONS   the network, and Broden's small set reduced to 32x32 with its filter, unless
#                          $probe is a set already
#   measure LAYER          a clean run, noise on all its images and designed perturbations (PGD) of a
#                          drawn sample of its detectors; FOLDER/LAYER-*.csv. What is there is not
#                          run again, and an interrupted run goes on where it was.
# Set before: network, names (the words of the command line; none: all). Work is kept in $WORK.
study=units
. docs/measured/common.sh
side=32 probe=

prepare() {
    [ -e "$work/network.nw" ] ||
        python3 weights/convert.py "$data/weights/$1" $2 -o "$work/network.nw" 2>/dev/null
    [ -n "$probe" ] && return
    probe=$root/$study/broden$side
    NEMESIS=$nemesis python3 tests/shrink_probe.py "$data/broden_mini" $side "$probe" \
        "$work/network.nw"
}

measure() {
    is_wanted "$1" || return 0
    if [ -e "$folder/$1-attack.csv" ]; then
        echo "$network $1: measured before"
        return 0
    fi
    echo "$network $1: runs"
    "$nemesis" dissect -m "$work/network.nw" -l "$1" -d "$probe" -o "$work/$1" --resume -q \
        >"$work/$1.txt"
    "$nemesis" noise "$work/$1" --type gaussian --std 0.02,0.05,0.1 --store float -s 0 \
        -o "$work/$1-noise" --resume -q >"$work/$1-noise.txt"
    shorten "$work/$1/units.csv" "$folder/$1-units.csv"
    shorten "$work/$1-noise/summary.csv" "$folder/$1-noise.csv"
    "$nemesis" attack "$work/$1" -u detectors:24 --eps 2/255,4/255 --store float -s 0 \
        -o "$work/$1-attack" --resume -q >"$work/$1-attack.txt"
    shorten "$work/$1-attack/summary.csv" "$folder/$1-attack.csv"
}
