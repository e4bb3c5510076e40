#!/bin/sh
# Screenshots of a report at three widths, by day and by night; fails on anything the console says.
# usage: screenshots.sh FOLDER_WITH_INDEX_HTML OUT      skipped (exit 0) where there is no Chromium
page=$(cd "$1" && pwd)/index.html || exit 1
out=$2
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
[ -n "$browser" ] || { echo "skipped: there is no Chromium"; exit 0; }
[ -f "$page" ] || { echo "$page: is not there"; exit 1; }
mkdir -p "$out" || exit 1
profile=$(mktemp -d) || exit 1
trap 'rm -rf "$profile"' EXIT
status=0
for width in 390 1024 1600; do
    for scheme in light dark; do
        [ $scheme = dark ] && preferred=0 || preferred=1
        name=$out/report-$width-$scheme.png
        rm -f "$name"
        "$browser" --headless --no-sandbox --disable-gpu --no-first-run \
            --disable-background-networking --disable-component-update --disable-sync \
            --hide-scrollbars --user-data-dir="$profile" --enable-logging=stderr \
            --blink-settings=preferredColorScheme=$preferred \
            --window-size=$width,3000 --screenshot="$name" "file://$page" 2>"$profile/log"
        if grep 'CONSOLE' "$profile/log"; then
            status=1
        fi
        [ -s "$name" ] || { echo "$name: was not made"; status=1; }
    done
done
exit $status
