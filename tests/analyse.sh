#!/bin/sh
# clang-tidy (.clang-tidy says what for) and cppcheck on every source; no findings is the only pass.
export LC_ALL=C
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0
folders=$(find . -mindepth 2 -name "*.c" -not -path "*/.*" -not -path "./build/*" | cut -d/ -f2 | sort -u)

# count NAME: prints the findings in $log and counts the tool as passed if there are none.
count() {
    if grep -E '(warning|error): |^[^ ]+:[0-9]+: ' "$log" | sort -u >"$log.found" && [ -s "$log.found" ]; then
        sed "s|^$PWD/||; s|^|FAILED  $1: |" "$log.found"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
    rm -f "$log.found"
}

tidy() {
    case $1 in
    *_avx2.c) flags='-mavx2 -mfma' ;;
    *_avx512.c) flags='-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma' ;;
    *_neon.c) flags=--target=aarch64-linux-gnu ;;
    */fuzz/entry.c) flags='-DTARGET=png -DREPAIR=png' ;;
    *) flags= ;;
    esac
    # shellcheck disable=SC2086
    clang-tidy --quiet "$1" -- -std=c11 -D_GNU_SOURCE $flags 2>/dev/null
}
[ "$1" = --file ] && { tidy "$2"; exit; }

if command -v clang-tidy >/dev/null; then
    find $folders -name '*.c' -not -name '*_neon.c' -not -path '*/peers/*' | sort |
        xargs -P "$(nproc)" -I{} sh "$0" --file {} >"$log"
    count clang-tidy
fi
if command -v cppcheck >/dev/null; then
    cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list=tests/cppcheck.txt -D__x86_64__ -D_OPENMP=201511 \
        --template='{file}:{line}: {id}: {message}' $folders >"$log" 2>&1
    count cppcheck
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
