#!/bin/sh
# Measures twice and compares with an output of `bench --json`, which is checked before anything is
# measured. usage: compare.sh BENCH FOLDER BASE [OPTIONS OF BENCH...]; exit 1: a row is slower; 2: BASE
# cannot be compared with.
bench=$1
folder=$2
base=$3
here=$(dirname "$0")
refuse() {
    echo "$*" >&2
    exit 2
}
[ -n "$base" ] ||
    refuse "usage: make bench-compare BASE=file [OPTIONS='-t 1']; file: an output of \`bench --json\`"
shift 3
[ -e "$base" ] || refuse "$base: no such file"
if [ ! -f "$base" ] || [ ! -r "$base" ]; then refuse "$base: not a file that can be read"; fi
[ -s "$base" ] || refuse "$base: empty, expected rows of \`bench --json\`"
which=$(awk -v check=1 -f "$here/compare.awk" "$base") || exit 2
for turn in 1 2; do # what differs between two rounds is no change of the program
    # shellcheck disable=SC2086 # nothing where the short table will do
    "$bench" $which --json "$@" > "$folder/bench-$turn.json" || exit 2
done
awk -f "$here/compare.awk" "$base" "$folder/bench-1.json" "$folder/bench-2.json"
