#!/bin/sh
# Attacks on the maps of SqueezeNet 1.1 (ImageNet, published weights): disjoint pairs of 52 photos by
# lot, the published settings; SmoothGrad a third of its steps.
# usage: sh docs/measured/maps/squeezenet1.1.sh [NAME...]
# Every NAME is meant to take less than 45 minutes of two idle cores; `integrated` takes 55.
network=squeezenet1.1
names=$*
. docs/measured/maps/runs.sh
prepare squeezenet1.1_imagenet broden_mini
for photo in "$data"/imagenet/*.JPEG; do    # a folder of class folders
    class=$work/photos/$(basename "$photo" .JPEG)
    mkdir -p "$class"
    cp "$photo" "$class"
done
pairs="-d $work/photos --patterns $work/patterns.nw --pairs"

measure_main 20 5
measure gradient-smoothgrad $pairs 8 --method gradient --preset table4 --smooth 10:0.05 --steps 500
measure integrated $pairs 6 --method integrated
