# docs/measured/common.sh - what all scripts of this folder share; they are run at the root of the
# project and need the published weights and photos in $NEMESIS_DATA (default ../shared/data).
# Set before: study (maps or trained), network, names (the words of the command line; none: all).
# Work is kept in $WORK.
nemesis=${NEMESIS:-./nemesis}
data=${NEMESIS_DATA:-../shared/data}
root=${WORK:-runs/measured}
work=$root/$study/$network
folder=docs/measured/$study/$network
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
