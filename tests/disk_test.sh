#!/bin/sh
# The built program against a real full disk, a folder it may not write to, a file-size limit, no
# descriptors, closed streams and a broken pipe; and every exit code it promises, a line each.
# usage: disk_test.sh [PROGRAM]; the last line is `N passed, N failed, N skipped`.
program=$(realpath "${1:-./nemesis}")
passed=0 failed=0 skipped=0
work=$(mktemp -d) || exit 1
disk=$work/disk
trap 'umount "$disk" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
export OMP_NUM_THREADS=1

# claim NAME CODE FRAGMENT FOUND: the exit code found, and a sentence in $work/err.
claim() {
    if [ "$4" -eq "$2" ] && { [ -z "$3" ] || grep -q -- "$3" err; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $1: exit $4, expected $2 and '$3': $(head -c 300 err)"
    fi
}

# check NAME CODE FRAGMENT ARGUMENTS...
check() {
    name=$1 code=$2 fragment=$3
    shift 3
    "$program" "$@" >out 2>err
    claim "$name" "$code" "$fragment" $?
}

# same NAME FOLDER FOLDER: the results of two runs.
same() {
    for file in tally.csv quantile.npy units.csv; do
        cmp -s "$2/$file" "$3/$file" || { echo "FAILED  $1: $file differs"; failed=$((failed + 1)); return; }
    done
    passed=$((passed + 1))
}

"$program" mini -o probe --images 12 -q >/dev/null || exit 1
"$program" train -d mini:8:1 --epochs 1 -b 4 --rate 0.0001 -o net.nw -q >/dev/null || exit 1
layer=$("$program" inspect net.nw | grep -o 'conv[0-9_]*' | tail -n 1)
dissect="dissect -m net.nw -d probe -l $layer -q"
photo=$(find probe/images -name '*.jpg' | sort | head -n 1)

# ---- every exit code --------------------------------------------------------------------------------

check "done"                   0  ""                       $dissect -o run
check "a check passed"         0  ""                       verify -d probe
cp -r probe damaged
echo "no picture" >"$(find damaged/images -name '*.jpg' | sort | head -n 1)"
check "a check failed"         1  "expected none" verify -d damaged
check "no verb"                2  "no verb given"
check "an unknown verb"        2  "unknown verb 'nope'"    nope
check "an unknown layer"       2  "nope"                   dissect -m net.nw -d probe -l nope -o x
check "some inputs skipped"    3  "none.jpg"               classify -m net.nw "$photo" none.jpg
head -c 1000 net.nw >cut.nw
check "bad input data"         65 "1000 bytes"             inspect cut.nw
check "no such input"          66 "none.nw"                inspect none.nw
(ulimit -v 60000 && "$program" inspect net.nw >out 2>err && "$program" train -d mini:400:1 -b 400 -o x.nw -q >out 2>err)
claim "out of memory"          71 "memory" $?
check "an existing run"        73 "exists already"         $dissect -o run
check "the weights as output"  2  "the weight blob itself" $dissect -o net.nw
: >file
check "not a folder"           73 "not a folder"           $dissect -o file
"$program" inspect net.nw >/dev/full 2>err
claim "a full output"          74 "standard output" $?

# ---- interrupted, taken ----------------------------------------------------------------------------

attack="attack --baseline run -u 0-3 --eps 0.01,0.02,0.03,0.04 --steps 400 --store float -q"
# Whoever started this may have had signals ignored, and a shell has its background ignore INT.
for line in INT:130 TERM:143 HUP:75; do
    rm -rf attacked
    env --default-signal=INT,TERM,HUP "$program" $attack -o attacked >out 2>err &
    child=$!
    while [ ! -e attacked/rows.checkpoint ] && kill -0 $child 2>/dev/null; do sleep 0.1; done
    [ "$line" = TERM:143 ] && { "$program" $attack -o attacked --resume >out 2>second
        [ $? -eq 75 ] && grep -q "held by process $child" second
        claim "a second process" 0 "" $?; }
    kill -s "${line%:*}" $child
    wait $child
    claim "interrupted by ${line%:*}" "${line#*:}" "--resume goes on from there" $?
done
rm -rf attacked

# ---- a full disk -----------------------------------------------------------------------------------

mkdir disk
if mount -t tmpfs -o size=2m none disk 2>/dev/null; then
    check "room is there"          0  ""                   $dissect -o disk/earlier
    head -c 4m /dev/zero >disk/filler 2>/dev/null
    "$program" $dissect -o disk/run >out 2>err
    code=$?
    [ $code -eq 73 ] && code=74
    claim "a full disk"            74 "No space left" $code
    [ ! -e disk/run/run.json ]
    claim "no half run"            0  "" $?
    same "the earlier run"         run disk/earlier
    check "image on a full disk"   74 "No space left"      image "$photo" -o disk/picture.png --resize 200
    [ ! -e disk/picture.png ] && [ -z "$(find disk -name '*.tmp-*')" ]
    claim "no half picture"        0  "" $?
    rm disk/filler
    check "space is freed"         0  ""                   $dissect -o disk/run --resume
    same "after space is freed"    run disk/run
else
    skipped=$((skipped + 1))
    echo "skipped a full disk: tmpfs cannot be mounted here"
fi

# ---- other limits ----------------------------------------------------------------------------------

(ulimit -f 1; "$program" $dissect -o limited >out 2>err)
claim "a file-size limit"      74 "File too large" $?
check "after the limit"        0  ""                       $dissect -o limited --resume
same "after the limit"         run limited
(exec >out 2>err; ulimit -n 4; exec "$program" $dissect -o few)
claim "no descriptors"         66 "Too many open files" $?
[ ! -e few ]
claim "no folder is left"      0  "" $?
if [ "$(id -u)" -eq 0 ] && mkdir -p fixed && mount -t tmpfs -o ro none fixed 2>/dev/null; then
    check "a read-only folder" 73 "Read-only file system"  $dissect -o fixed/run
    check "a read-only picture" 73 "Read-only file system" image "$photo" -o fixed/x.png
    umount fixed
fi
"$program" $dissect -o closed <&- >&- 2>&-
claim "closed streams"         0  "" $?
same "closed streams"          run closed
mkfifo pipe
: <pipe &
"$program" inspect net.nw >pipe 2>err
claim "a broken pipe"          141 "" $?
claim "no such place"          73 "cannot create folder" "$("$program" $dissect -o /dev/null/x >out 2>err; echo $?)"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
