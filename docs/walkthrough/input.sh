#!/bin/sh
# usage: input.sh N H: the photo of chapter 1 as the network's input, [1, 3, 64, 64], with element N
# changed by H; an .npy on stdout. A float has a sign, 8 bits of exponent + 127 and 23 of mantissa.
printf '\223NUMPY\001\000v\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 64, 64), }"
od -An -v -w12 -t f4 -j128 runs/walk/photo.npy | LC_ALL=C awk -v n="$1" -v h="$2" '
    { for (c = 0; c < 3; c++) x[c * 4096 + NR - 1] = ($(c + 1) / 255 - 0.5) / 0.25 }
    END {
        x[n] += h
        for (i = 0; i < 12288; i++) {
            size = x[i] < 0 ? -x[i] : x[i]
            for (e = 1; e > -126 && 2 ^ e > size; e--) continue
            bits = size ? (e + 127) * 2 ^ 23 + int((size / 2 ^ e - 1) * 2 ^ 23 + 0.5) : 0
            if (x[i] < 0) bits += 2 ^ 31
            for (k = 0; k < 4; k++) { printf "\\%03o", bits % 256; bits = int(bits / 256) }
        }
    }' | { read -r bytes; printf "$bytes"; }
