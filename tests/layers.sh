#!/bin/sh
# Who may know whom. The last line is `N passed, N failed`: one for each claim that holds, and one for
# each place that breaks one.
#   1  Floors only look down: a folder includes public headers of the folders before it in this list.
#      Folders of one line share a floor and do not see each other.
#   2  Files of one folder call each other in one direction: no way of calls leads back.
#   3  Only nem/dissect knows Network Dissection; everybody else goes through nem/method.h.
floors='base
engine format text image
mini models
probe
nem attribution
attack training
study
report
cli'
# Headers that a folder keeps for its own files.
private='attribution/form.h attribution/walk.h attack/group_attack.h attack/linear_attack.h attack/soft_iou.h attack/soft_rank.h attack/unit_network.h
base/file_seam.h engine/about.h engine/blob_data.h engine/conv.h engine/conv_method.h engine/cpu.h engine/gemm.h
engine/graph.h engine/kernels.h engine/op.h engine/plan.h engine/simd.h nem/clip/clip_private.h nem/clip/cosines.h nem/clip/similarity.h nem/dissect/dissect_private.h nem/units.h nem/bert_models.h
report/page.h text/clean.h text/join.h text/split.h text/tables.h text/unicode.h study/activation_aim.h study/attack_run.h study/changes.h study/measure.h
study/map_case.h study/map_machine.h study/robust_parts.h study/saved_setting.h study/stored_maps.h study/target.h study/unit_case.h'
# Circles that are known, to be taken apart: files whose calls into each other are let pass.
known='training/checkpoint.c training/trainer.c'
# What names Network Dissection for a reason: tables of methods, and what tests or times the method.
at_home='nem/methods.c tests/toy/methods.c bench/verb_dissect.c tests/nem_world.c tests/nem_world.h
tests/tiny_world.c tests/tiny_world.h tests/test_dissect.c tests/test_dissect_run.c
tests/test_evaluation.c tests/test_margin.c tests/test_methods.c tests/test_report.c tests/test_tally.c
tests/test_threshold.c'

files=$(ls $(echo $floors | sed 's,[^ ]*,&/*.[ch],g') nem/*/*.[ch] | sort)
passed=0 failed=0

# claim WORDS PROBLEMS: counts the lines of problems.
claim() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        printf 'FAILED  %s\n%s\n' "$1" "$2"
        failed=$((failed + $(printf '%s\n' "$2" | wc -l)))
    fi
}

looks_up() {
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
            if (!(to in floor) || floor[to] >= floor[from] || is_private[path])
                print FILENAME ":" FNR ": " from "/ must not include " path
        }' $files
}

# Lines without comments and texts, behind the file and the number of each: FILE:NUMBER:LINE.
code() {
    awk '{ gsub(/"([^"\\]|\\.)*"/, "\"\""); sub(/\/\/.*/, "") }
         /^ *\/\*/ { comment = 1 }
         !comment  { print FILENAME ":" FNR ":" $0 }
         /\*\//    { comment = 0 }' "$@"
}

calls_back() {
    code $(printf '%s\n' $files | grep '\.c$') | awk -v known="$known" '
        function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }
        # The shortest way of calls from `start` back to it, or "".
        function way_back(start,    queue, head, tail, from, seen, at, to, way) {
            head = 1; tail = 1; queue[1] = start
            while (head <= tail) {
                at = queue[head++]
                for (to in calls)
                    if (index(calls[at], " " to " ")) {
                        if (to == start) {
                            way = to
                            for (; at != start; at = from[at]) way = at " -> " way
                            return start " -> " way
                        }
                        if (!(to in seen)) { seen[to] = 1; from[to] = at; queue[++tail] = to }
                    }
            }
            return ""
        }
        {
            split($0, field, ":"); path = field[1]
            text = substr($0, length(path) + length(field[2]) + 3)
            # A function that is not static begins a line that does not end in a semicolon.
            if (text ~ /^[A-Za-z_]/ && text !~ /^(static|typedef|extern) / && text !~ /;$/ &&
                match(text, /[a-z_0-9]+\(/))
                home[substr(text, RSTART, RLENGTH - 1)] = path
            else
                for (; match(text, /[a-z_][a-z_0-9]*\(/); text = substr(text, RSTART + RLENGTH))
                    called[path, substr(text, RSTART, RLENGTH - 1)] = 1
        }
        END {
            n = split(known, name, /[ \n]+/)
            for (i = 1; i <= n; i += 2) is_known[name[i], name[i + 1]] = is_known[name[i + 1], name[i]] = 1
            for (pair in called) {
                split(pair, part, SUBSEP); from = part[1]; to = home[part[2]]
                # Builders of ops call each other freely: the derivative of an op is made of ops.
                if (to && part[2] !~ /^op_/ && to != from && folder_of(to) == folder_of(from) && !((from, to) in is_known))
                    calls[from] = calls[from] " " to " "
            }
            for (start in calls) {
                way = way_back(start)
                if (way && !(start in told)) {
                    print way
                    n = split(way, part, " -> "); for (i = 1; i <= n; i++) told[part[i]] = 1
                }
            }
        }' | sort
}

# The functions and types that the headers of nem/dissect declare.
names_of_dissection() {
    code nem/dissect/*.h | sed 's/^[^:]*:[0-9]*://' | awk '
        /^typedef (struct|enum) [A-Za-z]/ { print $3 }
        /^} [A-Za-z]*;/                   { sub(/;.*/, ""); print $2 }
        /^[A-Za-z]/ && match($0, /[a-z]+_[a-z_0-9]*\(/) { print substr($0, RSTART, RLENGTH - 1) }
        /^extern const/ && match($0, /[a-z_]+(\[[^]]*\])?;/) { sub(/[[;].*/, ""); print $NF }' | sort -u
}

names_dissection() {
    code $(printf '%s\n' $files tests/*.[ch] tests/toy/*.[ch] bench/*.[ch] |
        grep -v '^nem/dissect/' | grep -vxF "$(printf '%s\n' $at_home)") |
        grep -wF "$(names_of_dissection)"
}

claim 'floors only look down' "$(looks_up)"
claim 'calls lead one way within a folder' "$(calls_back)"
claim 'only nem/dissect knows Network Dissection' "$(names_dissection)"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
