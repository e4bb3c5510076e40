#!/bin/sh
# Takes turns with every other program that is installed; one that is not is left out with a word.
# usage: run.sh BENCH [THREADS]
for name in onnxruntime torch openblas; do
    "$1" --against "$name" -t "${2:-0}" || exit 1
    echo
done
