# docs/measured/runs.sh - what the scripts of this folder share; they are run at the root of the
# project and need the published weights and photos in $NEMESIS_DATA (default ../shared/data).
#
#   measure NAME ARGUMENTS...   one run of `manipulate`; its tables become FOLDER/NAME-measures.csv
#                               and FOLDER/NAME-smoothing.csv. What is there is not run again, and
#                               an interrupted run goes on where it was.
# Set before: network, names (the words of the command line; none: all). Work is kept in $WORK.
nemesis=${NEMESIS:-./nemesis}
data=${NEMESIS_DATA:-../shared/data}
work=${WORK:-runs/measured}/$network
folder=docs/measured/$network
set -e
export LC_ALL=C
mkdir -p "$work" "$folder"

# Five digits say what is known, in half the room.
shorten() {
    awk -F, -v OFS=, 'NR > 1 { for (i = 1; i <= NF; i++) if ($i ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/) $i = sprintf("%.5g", $i) } { print }' "$1" >"$2.part"
    mv "$2.part" "$2"
}

is_wanted() {
    [ -z "$names" ] && return 0
    for wanted in $names; do
        [ "$wanted" = "$1" ] && return 0
    done
    return 1
}

measure() {
    name=$1
    shift
    is_wanted "$name" || return 0
    if [ -e "$folder/$name-smoothing.csv" ]; then
        echo "$network $name: measured before"
        return 0
    fi
    echo "$network $name: runs"
    "$nemesis" manipulate -m "$work/network.nw" -s 0 --conv direct --store float,png8,jpeg75 "$@" \
        -o "$work/$name" --resume -q >"$work/$name.txt"
    shorten "$work/$name/measures.csv" "$folder/$name-measures.csv"
    shorten "$work/$name/smoothing.csv" "$folder/$name-smoothing.csv"
}

# The network, and patterns of photos that are explained in no run.
prepare() {
    [ -e "$work/network.nw" ] || python3 weights/convert.py "$data/weights/$1" -o "$work/network.nw"
    [ -e "$work/patterns.nw" ] || "$nemesis" patterns -m "$work/network.nw" -d "$data/$2" -o "$work/patterns.nw" -q
}
