#!/bin/sh
# Runs a fixed list of commands and compares the SHA-256 of their result files with tests/digests.tsv.
# The demo needs nothing else; rows of real photos are skipped where $NEMESIS_DATA has none. Without
# fused multiply-add, and with NEON, floats round otherwise: there labels of dissections and under noise
# are compared, and attacks, which take signs of gradients, are skipped.
# usage: digests.sh NEMESIS OUT [--write]; OUT is replaced. --write makes the table anew. The last line is
# `N passed, N failed, N skipped`.
nemesis=$1
out=$2
write=$3
data=${NEMESIS_DATA:-../shared/data}
probe=$data/broden_mini
trunk=$data/weights/vgg16_imagenet_conv1_1-conv3_3
table=tests/digests.tsv
set -e
export LC_ALL=C
rm -rf "$out"
mkdir -p "$out/photos"
isa=$("$nemesis" version | awk '$1 == "kernels" { print $2 }')
case $isa in
avx*) fused=1 ;;
*) fused=0 ;;
esac
echo "kernels: $isa"

# run KEY VERB ARGUMENTS...: a run folder of that name.
run() {
    key=$1
    shift
    "$nemesis" "$@" -q -o "$out/$key" >"$out/said"
}

real_photos() {
    python3 weights/convert.py "$trunk" --arch vgg16 -o "$out/vgg16.nw" >"$out/said" 2>&1
    network="-m $out/vgg16.nw -l conv3_3"
    run photos/all dissect $network -d "$probe"
    for mode in corrupt23 clean lite nd2017; do
        run photos/$mode dissect $network -d "$probe" --limit 70 --compat $mode
        run photos/$mode-noise noise --baseline "$out/photos/$mode" --type gaussian --std 0.05 \
            --store jpeg75,png8,float
        [ $fused = 0 ] || run photos/$mode-attack attack --baseline "$out/photos/$mode" \
            -u 1,3,32,237 --eps 8/255 --steps 3 --store jpeg75,png8,float
    done
}

# The columns that name units, settings and labels; rows of a tally are sorted by an IoU.
labels_of() {
    case $1 in
    */tally.csv | *noise/changes.csv)
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++)
                               if ($i ~ /^(strength|store|unit0|changed|((clean|new)_)?(category|label))$/)
                                   wanted[++count] = i }
                 { for (i = 1; i <= count; i++) printf "%s%s", $wanted[i], i < count ? "," : "\n" }' \
            "$1" | sort | sha256sum | cut -d' ' -f1 ;;
    *) echo - ;;
    esac
}

sh demo/run.sh "$nemesis" "$out/demo" >"$out/said" 2>"$out/steps" || { cat "$out/steps"; exit 1; }
places=demo
if [ -d "$probe" ] && [ -d "$trunk" ] && command -v python3 >/dev/null; then
    real_photos
    places='demo photos'
fi

for place in $places; do
    for file in "$out/$place"/*/tally.csv "$out/$place"/*/quantile.npy "$out/$place"/*/changes.csv \
        "$out/$place"/*/summary.csv "$out/$place"/*/robustness.csv; do
        [ -f "$file" ] || continue
        printf '%s\t%s\t%s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$(labels_of "$file")" \
            "${file#"$out/"}"
    done
done | sort -k3 >"$out/found.tsv"

if [ "$write" = --write ]; then
    [ "$places $fused" = 'demo photos 1' ] || { echo "error: no AVX2 or no photos at $data"; exit 1; }
    { sed -n '/^#/p' "$table" && cat "$out/found.tsv"; } >"$out/digests.tsv"
    cp "$out/digests.tsv" "$table"
fi

awk -F'\t' -v fused=$fused -v places="$places" '
    /^#/ { next }
    FNR == NR { digest[$3] = $1; labels[$3] = $2; next }
    { expected[$3]
      split($3, part, "/")
      if (!index(places, part[1]) || (!fused && $2 == "-")) { skipped++; next }
      there = $3 in digest
      if (fused ? digest[$3] == $1 : labels[$3] == $2) { passed++; next }
      failed++
      print "FAILED  " $3 ": " (!there ? "is not there" : labels[$3] != $2 ? "other labels" : \
            $2 == "-" ? "other bytes" : "other bytes, the same labels") }
    END { for (name in digest)
              if (!(name in expected)) { failed++; print "FAILED  " name ": has no row" }
          printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
          exit failed > 0 }' "$out/found.tsv" "$table"
