#!/bin/sh
# The recipe of demo/mini.nw, from drawn weights to a comparison with the file that is there.
# usage: train.sh NEMESIS
nemesis=$1
out=runs/demo-weights
set -e
mkdir -p "$out"
"$nemesis" train -d mini:6000:1 --test mini:1000:2 --arch mini --epochs 4 \
    --optimiser adam --rate 0.002 --decay 0 --flip --drop-last -o "$out/mini.nw" --overwrite
if cmp -s "$out/mini.nw" demo/mini.nw; then
    echo "the same bytes as demo/mini.nw"
else
    echo "other bytes than demo/mini.nw: rounding differs (see demo/README.md)"
fi
