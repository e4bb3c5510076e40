#!/bin/sh
# Screenshots of reports: of the demo, where it was run, of maps of drawn photos and their robustness,
# and of short runs on real photos, where the data is. usage: pages.sh NEMESIS OUT
nemesis=$1
out=$2
data=${NEMESIS_DATA:-../shared/data}
weights=$data/weights/vgg16_imagenet_conv1_1-conv3_3
probe=$data/broden_mini
set -e
rm -rf "$out"
mkdir -p "$out"
set --
if [ -f runs/demo/report/index.html ]; then
    set -- "$@" runs/demo/report
fi
"$nemesis" mini -q --images 12 -o "$out/world" >/dev/null
photo=$out/world/images/mini/000009.jpg
"$nemesis" attribute -q -m demo/mini.nw "$photo" "$out/world/images/mini/000005.jpg" --method all \
    --beta 2,10 -o "$out/maps" >/dev/null
"$nemesis" manipulate -q -m demo/mini.nw "$photo" --target text:CAT --method lrp --steps 100 \
    --rate 0.005 --store float,png8,jpeg75 -o "$out/word" >/dev/null
"$nemesis" manipulate -q -m demo/mini.nw --pairs 6 -d "$out/world" --method gradient,lrp \
    --steps 40 --rate 0.01 --store float,jpeg75 -o "$out/pairs" >/dev/null
for name in plain aligned; do
    "$nemesis" robustness -q -m demo/$name.nw -d mini:4:0 --method gradient,lrp-epsilon-plus --eps 8/255 \
        --draws 1 --aam-steps 10 -o "$out/$name" >/dev/null
done
"$nemesis" report -q "$out/plain" "$out/aligned" -o "$out/trainings-report"
set -- "$@" "$out/trainings-report"
"$nemesis" accuracy -q -m demo/mini.nw -d mini:100:7 --noise uniform:0.1,gaussian:0.05 \
    -o "$out/accuracy"
for run in maps word pairs plain accuracy; do
    "$nemesis" report -q "$out/$run" -o "$out/$run-report"
    set -- "$@" "$out/$run-report"
done
if [ -d "$weights" ] && [ -d "$probe" ]; then
    python3 weights/convert.py "$weights" --arch vgg16 -o "$out/vgg16.nw" 2>/dev/null
    "$nemesis" dissect -q -m "$out/vgg16.nw" -l conv3_3 -d "$probe" --limit 96 -o "$out/clean"
    "$nemesis" noise -q --baseline "$out/clean" --type gaussian --std 0.05 --store jpeg75 \
        -o "$out/noise"
    "$nemesis" attack -q --baseline "$out/clean" -u detectors:1 --eps 4/255 --store jpeg75 \
        -o "$out/attack"
    for run in clean noise attack; do
        "$nemesis" report -q "$out/$run" -o "$out/$run-report"
        set -- "$@" "$out/$run-report"
    done
fi
python3 tests/screenshots.py "$out" "$@"
