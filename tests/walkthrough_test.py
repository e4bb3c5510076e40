#!/usr/bin/env python3
"""docs/walkthrough: every command of every chapter prints what the chapter says.

In blocks fenced with ```console, a line that begins with `$ ` is a command (lines that end in a
backslash go on); what follows up to the next command is what it prints on stdout. The chapters run
in order in one folder that looks like this one, with a fresh runs/. Words and whole numbers must be
the same; a number with a point may differ by 1e-3 of its size or two units of its last digit, since
instruction sets round differently. A picture NAME that a chapter shows from pictures/ is what its
commands, or those of an earlier one, left in runs/walk/pictures/NAME: the same bytes or, where
instruction sets round differently, all but 3 % of its samples within 8 levels; and at most 30 KB.
`--update` writes what was printed and drawn into docs/walkthrough instead."""
import array
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("NEMESIS", os.path.join(ROOT, "nemesis")))
CHAPTERS = os.path.join(ROOT, "docs", "walkthrough")
PICTURES = os.path.join(CHAPTERS, "pictures")
PARTS = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+)")
PICTURE = re.compile(r"!\[[^\]]+\]\(pictures/([\w.-]+)\)")
PICTURE_BYTES = 30000
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.M)


def is_close(wanted, found):
    if wanted == found or (wanted.isspace() and found.isspace()):
        return True
    if "." not in wanted + found or not PARTS.fullmatch(wanted) or not PARTS.fullmatch(found):
        return False
    last_digit = 10.0 ** -len(re.match(r"-?\d+\.?(\d*)", wanted).group(1))
    if "e" in wanted:
        last_digit = 0
    return math.isclose(float(wanted), float(found), rel_tol=1e-3, abs_tol=2.01 * last_digit)


def is_same(wanted, found):
    wanted, found = ([part for part in PARTS.split(text.strip()) if part] for text in (wanted, found))
    return len(wanted) == len(found) and all(map(is_close, wanted, found))


def samples(picture, folder):
    """The numbers of a picture, as the program decodes it."""
    path = os.path.join(folder, "runs", "decoded.npy")
    subprocess.run([PROGRAM, "image", "-q", picture, "-o", path], check=True, stdout=subprocess.DEVNULL)
    with open(path, "rb") as file:
        return file.read(128), array.array("f", file.read())


def is_same_picture(wanted, found, folder):
    with open(wanted, "rb") as a, open(found, "rb") as b:
        if a.read() == b.read():
            return True
    (shape, a), (other_shape, b) = samples(wanted, folder), samples(found, folder)
    return shape == other_shape and sum(abs(x - y) > 8 for x, y in zip(a, b)) <= 0.03 * len(a)


def picture_problem(name, folder, update):
    """What is wrong with one picture of a chapter, or None."""
    kept, drawn = os.path.join(PICTURES, name), os.path.join(folder, "runs", "walk", "pictures", name)
    if not os.path.exists(drawn):
        return f"  no command has drawn runs/walk/pictures/{name}"
    if update and not (os.path.exists(kept) and is_same_picture(kept, drawn, folder)):
        os.makedirs(PICTURES, exist_ok=True)
        shutil.copyfile(drawn, kept)
    if not os.path.exists(kept):
        return f"  there is no docs/walkthrough/pictures/{name}"
    if os.path.getsize(kept) > PICTURE_BYTES:
        return f"  {name} has {os.path.getsize(kept)} bytes, at most {PICTURE_BYTES} are wanted"
    return None if is_same_picture(kept, drawn, folder) else f"  {name} is drawn otherwise"


def run_chapter(path, folder, update):
    """The number of commands, what they printed or drew otherwise, the pictures that are shown."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    count, problems = 0, []

    def run_block(block):
        def run_command(match):
            nonlocal count
            count += 1
            command, wanted = match.groups()
            done = subprocess.run(["sh", "-c", command], cwd=folder, text=True, timeout=300,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode:
                problems.append(f"$ {command}\n  exit {done.returncode}: {done.stderr.strip()}")
            elif not is_same(wanted, done.stdout):
                problems.append(f"$ {command}\n-- wanted\n{wanted}-- found\n{done.stdout}")
            return f"$ {command}\n{done.stdout.rstrip()}\n" if done.stdout else f"$ {command}\n"
        return COMMAND.sub(run_command, block.group())

    updated = BLOCK.sub(run_block, text)
    if update and updated != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write(updated)
    pictures = set(PICTURE.findall(text))
    problems += filter(None, (picture_problem(name, folder, update) for name in sorted(pictures)))
    return count, problems, pictures


def check_comparison():
    assert is_same("a 1.000 2\n", "a  1.0009 2") and is_same("-0", "-0") and is_same("x\n\n", "x")
    assert is_same("0.0012", "0.0013") and not is_same("0.0012", "0.0015")
    assert not is_same("12", "13") and not is_same("12", "12 1") and not is_same("1.0", "a")
    assert not is_same("1.5", "-1.5") and not is_same("1.00 x", "1.03 x") and is_same("7.5e-09", "7.5e-09")


def main():
    if not os.path.exists(PROGRAM):
        print(f"skipped walkthrough: there is no {PROGRAM}\n0 passed, 0 failed, 1 skipped")
        return 0
    check_comparison()
    passed = failed = 0
    shown = set()
    with tempfile.TemporaryDirectory() as folder:
        for name in os.listdir(ROOT):
            if name not in ("runs", "nemesis"):
                os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        os.symlink(PROGRAM, os.path.join(folder, "nemesis"))
        for name in sorted(os.listdir(CHAPTERS)):
            if not re.match(r"\d\d-.*\.md$", name):
                continue
            count, problems, pictures = run_chapter(os.path.join(CHAPTERS, name), folder, "--update" in sys.argv)
            shown |= pictures
            if not count:
                problems.append("  no command")
            for problem in problems:
                print(problem)
            print("FAILED " if problems else "ok     ", "walkthrough." + name[:-3])
            passed, failed = passed + (not problems), failed + bool(problems)
    for name in sorted(set(os.listdir(PICTURES)) - shown):
        print(f"FAILED  walkthrough: no chapter shows pictures/{name}")
        failed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
