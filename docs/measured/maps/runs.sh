# docs/measured/maps/runs.sh - what the scripts that attack maps share.
#
#   measure NAME ARGUMENTS...   one run of `manipulate`; its tables become FOLDER/NAME-measures.csv
#                               and FOLDER/NAME-smoothing.csv. What is there is not run again, and
#                               an interrupted run goes on where it was.
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
