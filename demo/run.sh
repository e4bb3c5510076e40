#!/bin/sh
# The main job in small: dissect a layer, put noise on the probing set, attack two units.
# usage: run.sh NEMESIS
nemesis=$1
data=${NEMESIS_DATA:-../shared/data}
weights=$data/weights/vgg16_imagenet_conv1_1-conv3_3
probe=$data/broden_mini
out=runs/demo

missing=
[ -d "$weights" ] || missing="$missing $weights"
[ -d "$probe" ] || missing="$missing $probe"
command -v python3 >/dev/null 2>&1 || missing="$missing python3"
if [ -n "$missing" ]; then
    echo "error: the demo needs$missing (NEMESIS_DATA names the folder of the data)" >&2
    exit 66
fi

set -e
mkdir -p "$out"
python3 weights/convert.py "$weights" --arch vgg16 -o "$out/vgg16.nw" 2>/dev/null
"$nemesis" dissect -m "$out/vgg16.nw" -l conv3_3 -d "$probe" --limit 48 -o "$out/clean" --overwrite
echo
"$nemesis" noise --baseline "$out/clean" --type gaussian --std 0.05 --store jpeg75,float \
    -o "$out/noise" --overwrite
echo
"$nemesis" attack --baseline "$out/clean" -u detectors:2 --eps 4/255 -o "$out/attack" --overwrite
echo
echo "results: $out/clean $out/noise $out/attack"
