#!/bin/sh
# Lines of each parser that the committed corpus reaches, and those it does not.
# usage: coverage.sh [BUILD_FOLDER]; needs clang and its llvm-profdata and llvm-cov.
build=${1:-build/fuzz-coverage}
make -s -j2 config=fuzz BUILD="$build" CC=clang fuzz-programs EXTRA_LDFLAGS=-fprofile-instr-generate \
    EXTRA_CFLAGS="-fprofile-instr-generate -fcoverage-mapping" || exit 1
tool() { command -v "$1" || command -v "$1-14"; }
for target in arguments blob csv inflate jpeg json npy png probe text vocabulary; do
    case $target in
    arguments) files="cli/arguments.c cli/units.c" ;;
    blob)      files="engine/blob.c engine/about.c" ;;
    inflate)   files="image/inflate.c" ;;
    jpeg)      files="image/jpeg_decode.c image/jpeg_scan.c image/jpeg_color.c image/jpeg_dct.c" ;;
    json)      files="format/json_read.c" ;;
    png)       files="image/png.c" ;;
    probe)     files="probe/probe.c" ;;
    text)      files="text/tokenizer.c text/join.c text/split.c text/clean.c text/unicode.c" ;;
    vocabulary) files="text/tables.c text/tokenizer.c" ;;
    *)         files="format/$target.c" ;;
    esac
    LLVM_PROFILE_FILE=$build/$target.raw "$build/fuzz_$target" -runs=0 "tests/fuzz/corpus/$target" \
        >/dev/null 2>&1 || exit 1
    "$(tool llvm-profdata)" merge "$build/$target.raw" -o "$build/$target.profile"
    for file in $files; do
        "$(tool llvm-cov)" show "$build/fuzz_$target" -instr-profile="$build/$target.profile" "$file" |
            awk -v file="$file" -F'|' '
                $2 ~ /[0-9]/ { lines++; if ($2 + 0 == 0 && $2 !~ /[kM]/) missed = missed "\n" $0; else hit++ }
                END { printf "%-20s %4d of %4d lines, %.1f %%%s\n", file, hit, lines, 100 * hit / lines,
                             missed }'
    done
done
