#!/bin/sh
# Screenshots of reports: of the demo, where it was run, and of short runs on real photos, where the
# data is. usage: pages.sh NEMESIS OUT
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
[ $# -gt 0 ] || { echo "skipped pages: there is no report to look at"; exit 0; }
python3 tests/screenshots.py "$out" "$@"
