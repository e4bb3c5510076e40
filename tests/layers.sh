#!/bin/sh
# Floors only look down: a folder includes public headers of the folders before it in this list.
# Folders of one line share a floor and do not see each other.
floors='base
engine format image
mini models
probe
nem
attack training
study
report
cli'
# Headers that the folder itself keeps for its own files.
private='base/file_seam.h engine/about.h engine/conv.h engine/conv_method.h engine/cpu.h engine/gemm.h engine/graph.h engine/kernels.h
engine/op.h engine/plan.h engine/simd.h nem/dissect/parts.h report/page.h'
awk -v floors="$floors" -v private="$private" '
    function folder_of(path) { return substr(path, 1, index(path, "/") - 1) }
    # The target of an include, from the folder of the file that has it.
    function resolve(dir, target,    parts, n, i, out, depth) {
        n = split(dir "/" target, parts, "/"); depth = 0
        for (i = 1; i <= n; i++)
            if (parts[i] == "..") depth--
            else stack[++depth] = parts[i]
        out = stack[1]
        for (i = 2; i <= depth; i++) out = out "/" stack[i]
        return out
    }
    BEGIN {
        n = split(floors, line, "\n")
        for (i = 1; i <= n; i++) { m = split(line[i], name, " "); for (k = 1; k <= m; k++) floor[name[k]] = i }
        n = split(private, name, /[ \n]+/); for (i = 1; i <= n; i++) is_private[name[i]] = 1
    }
    /^#include "/ {
        match($0, /"[^"]*"/); target = substr($0, RSTART + 1, RLENGTH - 2)
        dir = FILENAME; sub(/\/[^\/]*$/, "", dir)
        path = resolve(dir, target); from = folder_of(FILENAME); to = folder_of(path)
        if (from == to) next
        if (!(to in floor) || floor[to] >= floor[from] || is_private[path]) {
            print FILENAME ":" FNR ": " from "/ must not include " path; bad = 1
        }
    }
    END { exit bad }' $(git ls-files '*.c' '*.h' | grep -vE '^(tests|bench)/')
