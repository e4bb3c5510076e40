#!/bin/sh
# The recipes of the two networks that are built into the program, from drawn weights to a comparison
# with the files that are there. Halving needs Python.
# usage: train.sh NEMESIS
nemesis=$1
out=runs/built-in
set -e
mkdir -p "$out"

# again NAME OPTIONS...: trains models/zoo/NAME.nw once more.
again() {
    name=$1
    shift
    "$nemesis" train --captions mini --optimiser adam --decay 0 --clip 1 --drop-last "$@" \
        -o "$out/$name-f32.nw" --overwrite
    python3 weights/convert.py "$out/$name-f32.nw" --dtype f16 -o "$out/$name.nw"
    if cmp -s "$out/$name.nw" "models/zoo/$name.nw"; then
        echo "the same bytes as models/zoo/$name.nw"
    else
        echo "other bytes than models/zoo/$name.nw: rounding differs (see demo/README.md)"
    fi
}

again towers -d mini:20000:11 --test mini:1000:12 --arch clip_mini --objective contrastive \
    --batch 64 --epochs 10 --rate 0.001 --flip
again captioner -d mini:6000:21 --test mini:3000:22 --objective caption --encoder models/zoo/towers.nw \
    --made-units 5000 --batch 32 --epochs 30 --rate 0.003
