#!/bin/sh
# Trainings of CIFAR's ResNet-20 on 20,000 pictures, and how far the maps of each move: as lenet.sh.
# usage: sh docs/measured/trained/resnet20.sh [NAME...]
# Every NAME is meant to take less than 45 minutes of two idle cores.
network=resnet20
names=$*
. docs/measured/trained/runs.sh

objective() {
    name=$1
    shift
    is_wanted "$name" || return 0
    learn "$name" --arch resnet20 --optimiser adamw --decay 0.01 -s 1 "$@"
    score "$name" gradient
}

objective ce-1
objective l2-cosd-1 --objective l2-cosd --lambda-l2 0.01 --lambda-cos 0.1

for name in ce-1 l2-cosd-1; do
    is_wanted $name || continue
    score $name gradient-x-input
    score $name integrated --limit 50
    score $name lrp-epsilon-plus
done

is_wanted pairs-1 || exit 0
for method in gradient gradient-x-input lrp-epsilon-plus integrated; do
    pair ce-1 l2-cosd-1 $method
done
