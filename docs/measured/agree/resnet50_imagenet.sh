#!/bin/sh
# What three methods say of the units of ResNet-50 (ImageNet), layer1 to layer4, from the files their
# authors published: Network Dissection, MILAN with two captioners, CLIP-Dissect.
# usage: sh docs/measured/agree/resnet50_imagenet.sh
study=agree
network=resnet50_imagenet
names=
. docs/measured/common.sh
text=$data/text
set -- "$text/milan_results/m_base_$network.csv" "$text/clip_dissect/results/${network}_broden.csv" \
    "$text/milan_results/m_places365_$network.csv"

# compare NAME FOLDER MILAN CLIP MILAN_PLACES365: FOLDER has the four tallies.
compare() {
    tallies=
    for layer in 1 2 3 4; do
        tallies=$tallies${tallies:+,}layer$layer=$2/${network}_layer$layer.csv
    done
    "$nemesis" agree "$tallies" "$3" "$4" "$5" -s 0 -q --overwrite \
        --names netdissect,milan,clip-dissect,milan-places365 -o "$work/$1" >"$work/$1.txt"
    shorten "$work/$1/summary.csv" "$folder/$1.csv"
}

compare units "$text/netdissect_results" "$@"
mkdir -p "$work/tallies"
for layer in 1 2 3 4; do
    tally=${network}_layer$layer.csv
    awk -F, 'NR == 1 || $4 >= 0.04' "$text/netdissect_results/$tally" >"$work/tallies/$tally"
done
compare detectors "$work/tallies" "$@"
