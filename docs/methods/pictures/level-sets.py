#!/usr/bin/env python3
"""Draws level-sets.png: why softplus makes maps that are harder to move (K6).

f(x) = V' phi(W' x) on -1..1 x -1..1, with 50 hidden units and weights uniform in -1..1. Above, lines
of equal f: with ReLU, and with softplus of beta 1. Below, how sharply these lines bend with beta 10
and with beta 1, in one scale of colours: blue turns one way, red the other, white is straight. What
power iteration gives instead is compared with this formula in tests/check_curvature.c.

usage: python3 docs/methods/pictures/level-sets.py [OUT.png]
"""
import math
import os
import random
import struct
import sys
import zlib

SIDE, GAP, HIDDEN, LINES, FULL = 320, 12, 50, 16, 2.0
draw = random.Random(24)
INNER = [(draw.uniform(-1, 1), draw.uniform(-1, 1)) for _ in range(HIDDEN)]
OUTER = [draw.uniform(-1, 1) for _ in range(HIDDEN)]


def value(x, y, beta):
    """f, with ReLU where beta is 0."""
    total = 0.0
    for (a, b), v in zip(INNER, OUTER):
        z = a * x + b * y
        if beta == 0:
            total += v * max(z, 0.0)
        else:
            total += v * (max(z, 0.0) + math.log1p(math.exp(-beta * abs(z))) / beta)
    return total


def curvature(x, y, beta):
    """Of the line of equal f through (x, y)."""
    fx = fy = fxx = fxy = fyy = 0.0
    for (a, b), v in zip(INNER, OUTER):
        s = 1 / (1 + math.exp(-beta * (a * x + b * y)))
        bend = v * beta * s * (1 - s)
        fx, fy = fx + v * s * a, fy + v * s * b
        fxx, fxy, fyy = fxx + bend * a * a, fxy + bend * a * b, fyy + bend * b * b
    return -(fy * fy * fxx - 2 * fx * fy * fxy + fx * fx * fyy) / (fx * fx + fy * fy) ** 1.5


def place(row, column):
    return 2 * (column + 0.5) / SIDE - 1, 1 - 2 * (row + 0.5) / SIDE


def lines(beta):
    """Black where f passes a multiple of a sixteenth of its range."""
    grid = [[value(*place(r, c), beta) for c in range(SIDE + 1)] for r in range(SIDE + 1)]
    low, high = min(map(min, grid)), max(map(max, grid))
    band = [[int((f - low) / (high - low) * LINES) for f in row] for row in grid]
    return [[(30, 30, 30) if band[r][c] != band[r + 1][c] or band[r][c] != band[r][c + 1]
             else (255, 255, 255) for c in range(SIDE)] for r in range(SIDE)]


def colour(bend):
    share = max(-1.0, min(1.0, bend / FULL))
    pale = round(255 * (1 - abs(share)))
    return (255, pale, pale) if share > 0 else (pale, pale, 255)


def bends(beta):
    return [[colour(curvature(*place(r, c), beta)) for c in range(SIDE)] for r in range(SIDE)]


def beside(left, right):
    return [a + [(200, 200, 200)] * GAP + b for a, b in zip(left, right)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, rows):
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    data = b"".join(b"\0" + bytes(v for pixel in row for v in pixel) for row in rows)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                   + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "level-sets.png")
    above = beside(lines(0), lines(1))
    below = beside(bends(10), bends(1))
    write_png(path, above + [[(200, 200, 200)] * len(above[0])] * GAP + below)


if __name__ == "__main__":
    main()
