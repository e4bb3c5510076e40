#!/bin/sh
# Runs the C suites, the toy method's, where its program is ($TOY), and, where a whole Python 3 is,
# those in Python. At the end: why tests were skipped, the names of those that failed, and one closing
# line for all. usage: run.sh TESTS_BINARY [NAME...]
binary=$1
shift
log=$(mktemp) && other_log=$(mktemp) || exit 1
trap 'rm -f "$log" "$other_log"' EXIT
trap 'kill $beside 2>/dev/null; exit 130' INT TERM
status=0
# Memory that is given back is taken again a moment later, by thousands of small networks.
export MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000

# The toy method's and those in Python.
other_suites() {
    if [ -x "$TOY" ]; then
        sh tests/toy/toy_test.sh "$NEMESIS" "$TOY" || echo "exit $?"
    fi
    # Debian's python3-minimal lacks modules of the standard library.
    if ! python3 -c 'import json, shutil, tempfile, zipfile' >/dev/null 2>&1; then
        printf '  skipped: no Python 3 with its standard library, for the converter and the walkthrough\n%s\n' \
            '0 passed, 0 failed, 1 skipped'
        return
    fi
    for suite in tests/*_test.py; do
        [ -e "$suite" ] || continue
        python3 "$suite" || echo "exit $?"
    done
}

# The two halves share no file, so they run beside each other.
other_suites >"$other_log" 2>&1 &
beside=$!
{ "$binary" "$@" || echo "exit $?"; } 2>&1 | tee "$log"
wait $beside
tee -a "$log" <"$other_log"
grep -q '^exit [0-9]' "$log" && status=1
awk -v status="$status" '
    /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5 }
    /^ *skipped: /  { sub(/^ *skipped: /, ""); reasons[$0]++ }
    /^FAILED /      { names[++count] = $2 }
    END {
        if (skipped) {
            text = "skipped"
            for (reason in reasons) {
                text = text mark (mark ? "" : ": ") reasons[reason] " (" reason ")"
                mark = ", "
            }
            print text
        }
        for (i = 1; i <= count; i++) print "FAILED  " names[i]
        if (status && !failed) failed = 1
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }' "$log"
