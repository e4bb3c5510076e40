#!/bin/sh
# Whether a method is at home in the program that nothing but its own file and the table of methods
# knows: the toy program, which has `brightest` beside Network Dissection, through every verb that
# meets a method. usage: toy_test.sh NEMESIS TOY; the last line is `N passed, N failed`.
nemesis=$(realpath "$1")
toy=$(realpath "$2")
root=$PWD
passed=0 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
export LC_ALL=C

# check CLAIM COMMAND...: the command succeeds.
check() {
    claim=$1
    shift
    if "$@" >out 2>err; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n' "$claim" "$(cat err out | head -c 600)"
    fi
}

# All results but run.json, which has times.
same() {
    diff -r -x run.json "$1" "$2" && [ -e "$2/run.json" ]
}

# Column NAME of a CSV file without quoted fields, row by row.
column() {
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
                          { print $at }' "$2"
}

# interrupted FOLDER COMMAND...: a signal in the middle; whether something was left to go on from. A
# moment that came too early or too late is tried again.
interrupted() {
    folder=$1
    shift
    begin=$(date +%s.%N)
    "$@" -o "$folder" >/dev/null
    seconds=$(echo "$begin $(date +%s.%N)" | awk '{ print $2 - $1 }')
    for part in 0.5 0.7 0.3 0.6 0.4 0.8 0.2; do
        rm -rf "$folder"
        "$@" -o "$folder" >/dev/null 2>&1 &
        sleep "$(echo "$part $seconds" | awk '{ print $1 * $2 }')"
        kill -s TERM $! # a shell has SIGINT ignored behind &
        wait $!
        code=$?
        [ $code -eq 143 ] && ls "$folder"/*.checkpoint && return
    done
    echo "no moment was in the middle, the last run ended with $code"
    return 1
}

# resumes WANTED COMMAND...: an interrupted run ends as an undisturbed one, the folder WANTED.
resumes() {
    wanted=$1
    shift
    interrupted "resumed-$wanted" "$@" && "$@" -o "resumed-$wanted" --resume &&
        same "$wanted" "resumed-$wanted"
}

"$nemesis" mini -q --images 24 -o world >/dev/null || exit 1
inputs="-m $root/demo/mini.nw -l conv4_2 -d world -b 2 -q"
brightest="$toy describe --method brightest $inputs"
noise="$toy noise --baseline clean --type gaussian --std 0.3 --store float,jpeg75 -b 2 -q"
attack="$toy attack --baseline clean -u 0-2 --eps 8/255 --steps 4 --store float,png8 -q"

# ---- a clean run

check 'describes units' $brightest -o clean
check 'names images' awk -F, 'NR > 1 && $3 !~ /^[^ ]+\.(png|jpg)$/ && $4 != "0" { exit 1 }
                              END { exit NR != 97 }' clean/units.csv
check 'says its method' grep -q '"method": *"brightest"' clean/run.json
check 'has no files of another' test ! -e clean/tally.csv
check 'tells no story where it has none' sh -c "
    ! $toy explain unit 1 --baseline clean 2>said && grep -q 'does not tell' said"

# ---- noise and attacks

check 'sweeps noise' $noise -o noise
check 'takes a noise of nothing for no change' awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["strength"] == 0 && $at["store"] == "float" && $at["changed"] { exit 1 }
    $at["strength"] > 0.2 { changed += $at["changed"] }
    END { exit changed == 0 }' noise/changes.csv
check 'attacks units' $attack -o attack
check 'poisons one image a unit' test "$(column poisoned attack/changes.csv | sort -u)" = 1
check 'aims at random targets' $attack --target random -o targeted
check 'names the targets' test "$(column target targeted/changes.csv | grep -c .)" = 12
check 'aims with its masks from activations' $attack --masks activations -o activations
check 'aims at a soft IoU' $attack --loss soft-iou -o soft

# ---- what is made of runs

for run in clean noise attack targeted; do
    check "has a page of $run" "$toy" report "$run" -o "$run-page" -q
    check "shows pictures of $run" test -n "$(ls "$run-page/photos")"
done
check 'tells of peaks' grep -q 'the peak of their concept' clean-page/index.html
check 'shows no masks' sh -c '! grep -q "mask" noise-page/index.html'
check 'describes fewer images' $brightest --limit 12 -o fewer
check 'compares' sh -c "$toy compare clean fewer >said && grep -q 'peak >= 1' said"

# ---- interrupted runs

check 'resumes a clean run' resumes clean $brightest
check 'resumes noise' resumes noise $noise
check 'resumes an attack' resumes attack $attack

# ---- the other method, and the program without the toy

check 'dissects' "$nemesis" dissect $inputs -o dissected
check 'leaves dissection alone' "$toy" dissect $inputs -o toy-dissected
check 'gives its bytes' same dissected toy-dissected
check 'describes as dissect does' "$nemesis" describe --method dissection $inputs -o described
check 'gives the same bytes' same dissected described
check 'is unknown to the program itself' sh -c "
    $nemesis describe --method brightest $inputs -o refused 2>said
    [ \$? -eq 2 ] && grep -q 'brightest.*dissection' said"
check 'has runs that the program itself refuses' sh -c "
    $nemesis noise --baseline clean --type gaussian --std 0.1 -o refused -q 2>said
    [ \$? -ne 0 ] && grep -q brightest said"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
