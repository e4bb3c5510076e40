#!/bin/sh
# Runs a command with its temporary folders in memory, where that has room: tests write thousands of
# files, each synced to disk. usage: in_memory.sh COMMAND...; a TMPDIR that is set stays.
room=4000000 # KiB; all suites need 1.6 million at their largest, two sets of suites may run at once
free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if [ -z "$TMPDIR" ] && [ -w /dev/shm ] && [ "${free:-0}" -gt $room ]; then
    export TMPDIR=/dev/shm
fi
exec "$@"
