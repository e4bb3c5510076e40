#!/bin/sh
# valgrind's memcheck on a small run of every long verb: no bad access, no undefined value that
# decides anything, nothing left allocated.
# usage: memcheck.sh PROGRAM
program=$1
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
export LC_ALL=C ENGINE_ISA=avx2 # memcheck knows no AVX-512

verb() {
    if valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
        --errors-for-leak-kinds=all "$program" "$@" -t 2 -q >"$out/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  memcheck: $*"
        head -n 60 "$out/log"
    fi
}

verb mini --images 4 -o "$out/world"
verb inspect demo/mini.nw
verb dissect -m demo/mini.nw -l conv2_1 -d "$out/world" -o "$out/clean"
verb noise --baseline "$out/clean" --type gaussian --std 0.05 --store jpeg75,png8,float -o "$out/noise"
verb attack --baseline "$out/clean" -u 0 --steps 3 --eps 4/255 --store jpeg75,float -o "$out/attack"
verb attack --baseline "$out/clean" -u 0 --target random --steps 2 --eps 8/255 --store float -o "$out/targeted"
verb compare "$out/clean" "$out/clean"
verb report "$out/attack" -o "$out/report"
verb patterns -m demo/mini.nw -d "$out/world" -o "$out/patterns.nw"
verb attribute -m demo/mini.nw "$out/world/images/mini/000000.jpg" --method integrated,lrp,pattern --steps 2 \
    --smooth 2:0.1 --raw --patterns "$out/patterns.nw" -o "$out/maps"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
