#!/bin/sh
# The built program with two threads, killed (signal 9) at random moments of dissect, noise and attack,
# up to three times a run; what --resume then ends with has the bytes of an undisturbed run. Ends at the
# first that has not.
# usage: kill_test.sh [PROGRAM [KILLS]]; the last line is `N passed, N failed`.
program=$(realpath "${1:-./nemesis}")
kills=${2:-30}
passed=0 failed=0 done=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
export OMP_NUM_THREADS=2

"$program" mini -o probe --images 48 -q >/dev/null || exit 1
"$program" train -d mini:8:1 --epochs 1 -b 4 --rate 0.0001 -o net.nw -q >/dev/null || exit 1
layer=$("$program" inspect net.nw | grep -o 'conv[0-9_]*' | tail -n 1)
dissect="dissect -m net.nw -d probe -l $layer -b 4 -q"
noise="noise --baseline wanted.dissect --type gaussian --std 0.02,0.05 --store jpeg75,float --keep-images -b 4 -q"
attack="attack --baseline wanted.dissect -u 0-3 --eps 4/255,8/255 --steps 5 --store jpeg75,float --keep-images -q"

# moment SECONDS: a random part of them.
moment() {
    od -An -N4 -tu4 /dev/urandom | awk -v most="$1" '{ printf "%.4f", most * $1 / 4294967296 }'
}

for verb in dissect noise attack; do
    eval "line=\$$verb"
    begin=$(date +%s.%N)
    "$program" $line -o wanted.$verb >/dev/null || exit 1
    seconds=$(echo "$begin $(date +%s.%N)" | awk '{ print $2 - $1 }')
    target=$((done + (kills + 2) / 3)) runs=0 begun=$done
    while [ $done -lt $target ] && [ $failed -eq 0 ]; do
        rm -rf found
        : >differs
        for again in 1 2 3; do
            "$program" $line -o found --resume >/dev/null 2>err &
            sleep "$(moment "$seconds")"
            kill -s KILL $! 2>/dev/null
            wait $! 2>/dev/null # which says Killed
            code=$?
            [ $code -eq 137 ] || break
            done=$((done + 1))
        done
        runs=$((runs + 1))
        if { [ $code -eq 0 ] || "$program" $line -o found --resume >/dev/null 2>err; } &&
            diff -r -x run.json wanted.$verb found >differs 2>&1 && [ -e found/run.json ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAILED  $verb: exit $code: $(cat err differs | head -c 600)"
        fi
    done
    echo "$verb: $((done - begun)) kills in $runs runs of $seconds s"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
