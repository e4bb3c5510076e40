#!/bin/sh
# Measures peers on the shapes of the bench, taking turns with it, and prints ratios; a peer that is
# not installed is left out with a word. usage: run.sh BENCH FOLDER [THREADS]
bench=$1
folder=$2
threads=${3:-$(nproc)}
here=$(dirname "$0")

if printf '#include <cblas.h>\nint main(void){return 0;}' |
        ${CC:-cc} -I/usr/include/x86_64-linux-gnu -x c - -o /dev/null -lopenblas 2>/dev/null; then
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 "$here/openblas_gemm.c" -o "$folder/openblas_gemm" \
        -lopenblas -lm || exit 1
    echo "products, OpenBLAS against this engine, $threads threads (best ms of a product)"
    "$bench" gemm -t "$threads" --json | sed -n 's/.*"name":"product \([0-9]*\)x\([0-9]*\)x\([0-9]*\)".*"best_ms":\([^,]*\).*/\1 \2 \3 \4/p' |
        while read -r m n k ours; do
            peer=$(OPENBLAS_NUM_THREADS=$threads "$folder/openblas_gemm" "$m" "$n" "$k")
            echo "$m $n $k $ours $peer" | awk '{
                printf "%5dx%5dx%5d  ours %8.3f  OpenBLAS %8.3f  ratio %.2f\n", $1, $2, $3, $4, $5, $5 / $4 }'
        done
else
    echo "OpenBLAS is not installed (libopenblas-dev): left out"
fi

python=/usr/bin/python3
if $python -c 'import torch, torchvision' 2>/dev/null; then
    $python "$here/torch_models.py" "$bench" "$threads"
else
    echo "PyTorch is not installed (python3-torch, python3-torchvision): left out"
fi
