"""Whether two run folders hold the same files, apart from what run.json says of command, machine,
times, memory, and through how many passes counts came. usage: same_run.py RUN RUN; exit 1 with a
sentence if not."""
import json
import os
import sys

OF_A_MACHINE = ("command", "machine", "time", "peak_memory_bytes")
OF_A_WAY = ("forward_passes", "peak_store_bytes")  # kept cells, or a second pass


def content(path):
    with open(path, "rb") as file:
        data = file.read()
    if os.path.basename(path) != "run.json":
        return data
    run = json.loads(data)
    for key in OF_A_WAY:
        run.get("counts", {}).pop(key, None)
    return {key: run[key] for key in run if key not in OF_A_MACHINE}


def main(one, other):
    names, others = sorted(os.listdir(one)), sorted(os.listdir(other))
    if names != others:
        sys.exit(f"{other} has {', '.join(others)}, expected {', '.join(names)}")
    for name in names:
        if content(os.path.join(one, name)) != content(os.path.join(other, name)):
            sys.exit(f"{name} differs")


main(*sys.argv[1:])
