#!/bin/sh
# The recipes of demo/*.nw, from drawn weights to a comparison with the files that are there.
# usage: train.sh NEMESIS
nemesis=$1
out=runs/demo-weights
set -e
mkdir -p "$out"

# again NAME OPTIONS...: trains demo/NAME.nw once more; options are what it has beside the others.
again() {
    name=$1
    shift
    "$nemesis" train -d mini:6000:1 --test mini:1000:2 --arch mini --epochs 4 \
        --optimiser adam --rate 0.002 --decay 0 --flip --drop-last "$@" -o "$out/$name.nw" \
        --overwrite
    if cmp -s "$out/$name.nw" "demo/$name.nw"; then
        echo "the same bytes as demo/$name.nw"
    else
        echo "other bytes than demo/$name.nw: rounding differs (see demo/README.md)"
    fi
}

again mini
again plain --activation softplus:3
again aligned --activation softplus:3 --objective l2-cosd --lambda-cos 10 --perturb-eps 8/255
