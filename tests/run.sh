#!/bin/sh
# Runs the C suites, the toy method's, where its program is ($TOY), and, where Python 3 exists, those in
# Python; prints one closing line for all. usage: run.sh TESTS_BINARY [NAME...]
binary=$1
shift
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
status=0
{ "$binary" "$@" || echo "exit $?"; } 2>&1 | tee "$log"
if [ -x "$TOY" ]; then
    { sh tests/toy/toy_test.sh "$NEMESIS" "$TOY" || echo "exit $?"; } 2>&1 | tee -a "$log"
fi
if command -v python3 >/dev/null 2>&1; then
    for suite in tests/*_test.py; do
        [ -e "$suite" ] || continue
        { python3 "$suite" || echo "exit $?"; } 2>&1 | tee -a "$log"
    done
fi
grep -q '^exit [0-9]' "$log" && status=1
awk -v status="$status" '
    /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5 }
    END {
        if (status && !failed) failed = 1
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }' "$log"
