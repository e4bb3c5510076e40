#!/usr/bin/env python3
"""What the chapters do by hand, in plain Python:

byhand.py input PHOTO.npy INDEX STEP OUT.npy   a photo [h, w, 3] of 0..255 as the network's input
                                               [1, 3, h, w], with number INDEX raised by STEP
byhand.py steepest GRADIENT.npy                index, channel, row, column and value of the largest
byhand.py apart A.npy B.npy DISTANCE           how many numbers, and how many are further apart
byhand.py change BEFORE.npy AFTER.npy OUT.npy  AFTER - BEFORE
byhand.py overlap MAPS.npy UNIT THRESHOLD LABELS.npy LABEL OUT.npy
    One unit of MAPS [1, units, h, w] against one label of a label map [H, W, 3], where a pixel's
    number is red + 256 green. The unit's map is enlarged to H x W and cut at the threshold. OUT is
    a picture: pixels of the unit's mask alone red, of the label alone blue, of both yellow.
byhand.py saliency PICTURE [BETA]
    A network of one unit and its map. PICTURE is 16 numbers, 4 x 4, as 0,0,1,0/0,1,1,0/...; the unit
    adds up the column to the right of each 3 x 3 place less the column to the left; behind a ReLU,
    or softplus with BETA, the four activations are added up to a score.
byhand.py alignment A B                        how far apart two gradients are, each as 3,4,...
byhand.py larger WEIGHTS.nw TENSOR FACTOR OUT.nw   the same weights, one tensor FACTOR times as large"""
import ast
import math
import struct
import sys
import zlib
from array import array


def load(path):
    """Shape and numbers of an .npy: ten bytes, a header that reads as a Python dict, floats."""
    with open(path, "rb") as file:
        header = file.read(struct.unpack("<H", file.read(10)[8:])[0]).decode()
        return ast.literal_eval(header.strip())["shape"], array("f", file.read())


def save(path, shape, numbers):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode())
        file.write(array("f", numbers).tobytes())


def make_input(photo, index, step, out):
    (height, width, _), colours = load(photo)
    numbers = [(x / 255 - 0.5) / 0.25 for c in range(3) for x in colours[c::3]]
    numbers[int(index)] += float(step)
    save(out, (1, 3, height, width), numbers)


def steepest(gradient):
    (_, _, height, width), numbers = load(gradient)
    index = max(range(len(numbers)), key=lambda i: numbers[i])
    row = index // width
    print(index, row // height, row % height, index % width, f"{numbers[index]:.9f}")


def apart(first, second, distance):
    pairs = list(zip(load(first)[1], load(second)[1]))
    print(len(pairs), sum(abs(a - b) > float(distance) for a, b in pairs))


def change(before, after, out):
    shape, numbers = load(before)
    save(out, shape, [b - a for a, b in zip(numbers, load(after)[1])])


def places(pixels, cells):
    """For each pixel of a side: the cell before it, the cell behind it, the share of the latter."""
    for pixel in range(pixels):
        x = min(max((pixel + 0.5) * cells / pixels - 0.5, 0), cells - 1)
        yield int(x), min(int(x) + 1, cells - 1), x - int(x)


def enlarge(cells, height, width, to_height, to_width):
    for top, bottom, down in places(to_height, height):
        for left, right, along in places(to_width, width):
            above = cells[top * width + left] * (1 - along) + cells[top * width + right] * along
            below = cells[bottom * width + left] * (1 - along) + cells[bottom * width + right] * along
            yield above * (1 - down) + below * down


def overlap(maps, unit, threshold, labels, label, out):
    (_, _, height, width), layer = load(maps)
    (to_height, to_width, _), colours = load(labels)
    first = int(unit) * height * width
    cells = layer[first:first + height * width]
    mask = [value > float(threshold) for value in enlarge(cells, height, width, to_height, to_width)]
    concept = [red + 256 * green == int(label) for red, green in zip(colours[0::3], colours[1::3])]
    pairs = list(zip(mask, concept))
    print("mask", sum(mask), " label", sum(concept), " both", sum(m and c for m, c in pairs),
          " either", sum(m or c for m, c in pairs))
    paint = {(0, 0): (40, 40, 40), (1, 0): (220, 60, 40), (0, 1): (60, 110, 220), (1, 1): (255, 215, 60)}
    save(out, (to_height, to_width, 3), [channel for pair in pairs for channel in paint[pair]])


def saliency(picture, beta=None):
    x = [[float(number) for number in row.split(",")] for row in picture.split("/")]
    z = [[sum(x[r + i][c + 2] - x[r + i][c] for i in range(3)) for c in range(2)] for r in range(2)]
    if beta:
        b = float(beta)
        act, slope = lambda t: math.log1p(math.exp(b * t)) / b, lambda t: 1 / (1 + math.exp(-b * t))
    else:
        act, slope = lambda t: max(t, 0), lambda t: float(t > 0)
    gradient = [[0.0] * 4 for _ in range(4)]
    for r in range(2):
        for c in range(2):
            for i in range(3):
                gradient[r + i][c + 2] += slope(z[r][c])
                gradient[r + i][c] -= slope(z[r][c])
    print("unit     ", *(f"{t:5.2f}" for row in z for t in row))
    print("score    ", f"{sum(act(t) for row in z for t in row):5.2f}")
    for r in range(4):
        print("gradient " if r == 0 else "         ", *(f"{g:5.2f}" for g in gradient[r]))


def alignment(first, second):
    a, b = ([float(number) for number in text.split(",")] for text in (first, second))
    dot = lambda u, v: sum(x * y for x, y in zip(u, v))
    longest, l2 = max(math.hypot(*a), math.hypot(*b)), dot(a, a) + dot(b, b) - 2 * dot(a, b)
    cosine = dot(a, b) / math.hypot(*a) / math.hypot(*b)
    print(f"lengths {math.hypot(*a):.2f} {math.hypot(*b):.2f}")
    print(f"l2 {l2:.2f}  cosine {cosine:.4f}  Cosd {(1 - cosine) / 2:.4f}  limit {l2 / longest ** 2:.4f}")


def larger(weights, tensor, factor, out):
    """A blob is a header of 64 bytes, an entry of 192 bytes a tensor, data; each has a CRC-32."""
    with open(weights, "rb") as file:
        blob = bytearray(file.read())
    index = 64 + 192 * struct.unpack_from("<I", blob, 40)[0]
    for entry in range(64, index, 192):
        if blob[entry:entry + 128].rstrip(b"\0").decode() == tensor:
            start, size = struct.unpack_from("<QQ", blob, entry + 168)
            numbers = array("f", blob[start:start + size])
            blob[start:start + size] = array("f", [float(factor) * x for x in numbers]).tobytes()
            struct.pack_into("<I", blob, entry + 184, zlib.crc32(blob[start:start + size]))
    struct.pack_into("<I", blob, 44, zlib.crc32(blob[64:index]))
    struct.pack_into("<I", blob, 60, zlib.crc32(blob[:60]))
    with open(out, "wb") as file:
        file.write(blob)


if __name__ == "__main__":
    command = {"input": make_input, "steepest": steepest, "apart": apart, "change": change, "overlap": overlap,
               "saliency": saliency, "alignment": alignment, "larger": larger}
    if len(sys.argv) < 2 or sys.argv[1] not in command:
        sys.exit(__doc__)
    command[sys.argv[1]](*sys.argv[2:])
