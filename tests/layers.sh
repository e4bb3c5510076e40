#!/bin/sh
# Floors only look down: engine/base.h < image, engine < mini, models < nem, attribution < attack, training < report < cli.
awk '
    BEGIN { f["engine"]=1; f["image"]=1; f["models"]=2; f["mini"]=2; f["nem"]=3; f["attribution"]=3
            f["attack"]=4; f["training"]=4; f["report"]=5; f["cli"]=6 }
    /^#include "/ {
        split(FILENAME, a, "/"); folder = a[1]
        if (match($0, /"[^"]*"/)) target = substr($0, RSTART + 1, RLENGTH - 2)
        n = split(target, b, "/")
        if (b[1] != "..") next
        other = b[2]; file = b[3]
        if (other == folder) next
        base = (other == "engine" && (file == "base.h" || file == "file.h" || file == "digest.h" ||
                                     file == "snapshot.h"))
        if (f[other] > f[folder] || (f[other] == f[folder] && !base) ||
            (other == "engine" && !base && file != "engine.h" && file != "blob.h" && file != "parallel.h")) {
            print FILENAME ":" FNR ": " folder " must not include " target; bad = 1
        }
    }
    END { exit bad }' $(ls engine/*.[ch] image/*.[ch] mini/*.[ch] models/*.[ch] nem/*.[ch] attack/*.[ch] \
        attribution/*.[ch] training/*.[ch] report/*.[ch] cli/*.[ch] 2>/dev/null)
