#!/bin/sh
# Puts what `bench --against` can use into a folder that is not kept: install.sh FOLDER
# PyTorch comes with the system (Debian: python3-torch and libopenblas0-pthread).
mkdir -p "$1" || exit 1
if command -v npm >/dev/null; then # the package holds the library: its own scripts would fetch more
    (cd "$1" && npm install --ignore-scripts --no-save --no-audit --no-fund onnxruntime-node) ||
        echo "ONNX Runtime could not be installed" >&2
else
    echo "npm is not installed: ONNX Runtime is left out" >&2
fi
here=$(dirname "$0")
if printf '#include <cblas.h>\nint main(void){return 0;}' |
        ${CC:-cc} -I"/usr/include/$(${CC:-cc} -dumpmachine)" -x c - -o /dev/null -lopenblas 2>/dev/null; then
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 "$here/openblas_peer.c" -o "$1/openblas_peer" -lopenblas
else
    echo "OpenBLAS is not installed (libopenblas-dev): left out" >&2
fi
