#!/bin/sh
# Runs each fuzz target for so many seconds, from the committed corpus, fresh seeds and what earlier
# runs found (BUILD_FOLDER/grown). usage: run.sh BUILD_FOLDER [SECONDS [TARGET...]]; a line a target
# with its runs and seconds of CPU, exit 1 on a finding. Freed memory is kept back for less than
# usual: fresh pages would take half of the time.
build=$1 seconds=${2:-60}
[ $# -gt 2 ] && shift 2 || set --
[ $# -gt 0 ] || set -- arguments blob csv inflate jpeg json npy png probe text vocabulary
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=16
export UBSAN_OPTIONS=print_stacktrace=1
mkdir -p "$build/crashes" "$build/logs"
"$build/seeds" "$build/new" || exit 1
findings=0
for target in "$@"; do
    mkdir -p "$build/grown/$target" "tests/fuzz/corpus/$target"
    log=$build/logs/$target most=4096
    [ "$target" != csv ] || most=1024 # a table of a thousand commas is slow and like any other
    ("$build/fuzz_$target" -max_total_time="$seconds" -max_len=$most -timeout=5 -rss_limit_mb=1024 \
        -dict=tests/fuzz/words.dict -print_final_stats=1 -artifact_prefix="$build/crashes/$target-" \
        "$build/grown/$target" "tests/fuzz/corpus/$target" "$build/new/$target" >"$log" 2>&1
        status=$?
        times >"$log.times"
        exit $status)
    status=$?
    [ $status -eq 0 ] || findings=$((findings + 1))
    awk -v target="$target" -v status="$status" '
        /cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
        /number_of_executed_units/ { runs = $2 }
        FILENAME ~ /[.]times$/ { split($0, part, /[ms ]+/) } # its last line is that of the target
        END { cpu = 60 * (part[1] + part[3]) + part[2] + part[4]
              printf "%-10s %12d runs %8d CPU s %8d runs a CPU second %6d edges%s\n", target, runs, cpu,
                     runs / (cpu + 0.01), edges, status ? "  FINDING" : "" }
        ' "$log" "$log.times"
done
[ "$findings" -eq 0 ] || { grep -h -A20 'not true:\|ERROR:\|runtime error' "$build"/logs/* | head -n 60; exit 1; }
