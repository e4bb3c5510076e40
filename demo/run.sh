#!/bin/sh
# The main job in small, on a drawn world and a network trained on it: what do units detect, and
# what does it take to change that? Needs nothing but the program.
# usage: run.sh NEMESIS [OUT]; $WORD is what a map becomes
nemesis=$1
out=${2:-runs/demo}
layer=conv4_2
word=${WORD:-CAT}
set -e
export LC_ALL=C
width=$(stty size 2>/dev/null <&2 | awk '{ print $2 }')
[ "${width:-0}" -gt 0 ] || width=${COLUMNS:-80}
progress=plain
[ ! -t 2 ] || progress=bar

step() {
    printf '%s\n' "$*" | fold -s -w "$width" >&2
}

# verb NAME ARGUMENTS...: what the verb prints is kept beside its results. What an earlier demo left
# stays until each result is made anew; an interrupted demo goes on where it was.
verb() {
    name=$1
    shift
    "$nemesis" "$@" --overwrite -q --progress $progress >"$out/$name.txt.part" || {
        code=$?
        step "The whole results in $out are of an earlier demo; make demo goes on from here."
        exit $code
    }
    if [ -s "$out/$name.txt.part" ] || ! [ -f "$out/$name.txt" ]; then
        mv "$out/$name.txt.part" "$out/$name.txt"
    fi
    rm -f "$out/$name.txt.part"
}

mkdir -p "$out"
again=
if [ -f "$out/unfinished" ]; then
    again=--resume
fi
>"$out/unfinished"
step '1 of 9: draw 400 photos that nobody trained on, with labels'
verb world mini --images 400 -o "$out/world"
step "2 of 9: which concept does each unit of $layer detect?"
verb clean dissect $again -m demo/mini.nw -l "$layer" -d "$out/world" -o "$out/clean"
step '3 of 9: the same with random noise on every photo'
verb noise noise $again "$out/clean" --type gaussian --std 0.02,0.05 --store float,jpeg75 \
    -o "$out/noise"
step '4 of 9: the same with perturbations designed for one unit each'
verb attack attack $again "$out/clean" -u detectors:16 --eps 2/255,4/255,8/255 \
    --store float,jpeg75 -o "$out/attack"
step '5 of 9: designed to give units a label of our choice'
verb targeted attack $again "$out/clean" -u detectors:8 --target random --eps 8/255 \
    --store float -o "$out/targeted"
step '6 of 9: what do two methods of words call these units? And two of them after one attack each?'
# named NAME WORLD: by MILAN and by CLIP-Dissect, with the networks that are built in.
named() {
    verb "milan$1" describe $again --method milan -m demo/mini.nw -l "$layer" -d "$2" \
        -o "$out/milan$1"
    verb "clip$1" describe $again --method clip-dissect -m demo/mini.nw -l "$layer" -d "$2" \
        --concepts demo/concepts.txt --similarity cosine-cubed --pool max -o "$out/clip$1"
}
named "" "$out/world"
verb agree agree --names dissection,MILAN,CLIP-Dissect "$out/clean" "$out/milan" "$out/clip" \
    -o "$out/agree"
for unit in 5 20; do
    verb unit$unit attack $again "$out/clean" -u $unit --eps 8/255 --store png8 --keep-images \
        -o "$out/unit$unit"
    world="${out:?}/world-$unit"
    rm -rf "$world"
    cp -R "$out/world" "$world"
    for photo in "$out/unit$unit/poisoned/unit${unit}_"*/*.png; do
        number=${photo##*/}
        cp "$photo" "$world/images/mini/${number%.png}.jpg"
    done
    verb clean-$unit dissect $again -m demo/mini.nw -l "$layer" -d "$world" -o "$out/clean-$unit"
    named "-$unit" "$world"
done
step "7 of 9: which pixels count in one photo? Move that map until it reads $word"
verb word manipulate $again -m demo/mini.nw "$out/world/images/mini/000009.jpg" \
    --target "text:$word" --method lrp-epsilon-plus --steps 200 --rate 0.002 -o "$out/word"
step '8 of 9: how far does the map of a photo move with it? Two trainings of one network'
for name in plain aligned; do
    verb $name robustness $again -m demo/$name.nw -d mini:20:0 --method gradient \
        --measures rps,aam,accuracy --eps 8/255 --draws 1 --aam-eps 8/255 --aam-steps 50 \
        --similarities cosine,pcc --compat clean -o "$out/$name"
done
step '9 of 9: pages'
verb report report "$out/attack" "$out/word" "$out/plain" "$out/aligned" -o "$out/report"
echo
sed '/^unit /,$d' "$out/clean.txt"
awk -v width="$width" -f demo/summary.awk kind=clean "$out/clean/tally.csv" \
    kind=noise store=float "$out/noise/summary.csv" store=jpeg75 "$out/noise/summary.csv" \
    kind=attack store=float "$out/attack/summary.csv" store=jpeg75 "$out/attack/summary.csv" \
    kind=targeted store=float "$out/targeted/summary.csv" \
    kind=word word="$word" "$out/word/measures.csv" \
    kind=plain "$out/plain/robustness.csv" kind=aligned "$out/aligned/robustness.csv" \
    kind=says method=1 state=clean "$out/clean/units.csv" method=2 "$out/milan/units.csv" \
    method=3 "$out/clip/units.csv" state=5 method=1 "$out/clean-5/units.csv" \
    method=2 "$out/milan-5/units.csv" method=3 "$out/clip-5/units.csv" \
    state=20 method=1 "$out/clean-20/units.csv" method=2 "$out/milan-20/units.csv" \
    method=3 "$out/clip-20/units.csv"
echo
sed -n '/^methods /,/^by chance/p' "$out/agree.txt" | cut -c 1-73
echo
echo "open $out/report/index.html"
rm -f "$out/unfinished"
