#!/bin/sh
# Runs AFL++ on one target for so many seconds, from the committed corpus and fresh seeds, or from where
# an earlier run ended. usage: afl.sh BUILD_FOLDER SECONDS TARGET; one line, exit 1 on a finding.
build=$1 seconds=$2 target=$3
out=$build/grown/$target
"$build/seeds" "$build/new" && mkdir -p "$build/grown" "$build/logs" || exit 1
cp tests/fuzz/corpus/"$target"/* "$build/new/$target" || exit 1
[ ! -f "$build/repair_$target.so" ] || export AFL_CUSTOM_MUTATOR_LIBRARY="$build/repair_$target.so"
export AFL_AUTORESUME=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1
export AFL_NO_AFFINITY=1 # a core of its own is not to be had where others work
afl-fuzz -V "$seconds" -t 1000 -x tests/fuzz/words.dict -i "$build/new/$target" -o "$out" \
    "$build/fuzz_$target" >"$build/logs/$target" 2>&1 || { tail -n 20 "$build/logs/$target"; exit 1; }
awk -F' *: *' -v target="$target" '{ value[$1] = $2 }
    END { findings = value["saved_crashes"] + value["saved_hangs"]
          printf "%-10s %12d runs %8d a second %6d edges%s\n", target, value["execs_done"],
                 value["execs_per_sec"], value["edges_found"], findings ? "  FINDING" : ""
          exit findings > 0 }' "$out/default/fuzzer_stats"
