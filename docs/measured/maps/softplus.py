#!/usr/bin/env python3
"""Maps of softplus networks beside those of the ReLU network; softplus.sh calls it.

softplus.py input PICTURES.npy COUNT SIDE OUT.npy   the first COUNT rows of PICTURES, a picture of SIDE x
                                                    SIDE each, as the network's input [n, 3, h, w]
softplus.py compare MAPS SMOOTH                     a CSV row for every map in SMOOTH, a folder that
                                                    `attribute --beta` made: beside that in MAPS
softplus.py alike MAPS SMOOTH                       a CSV row for every gradient in SMOOTH, and for that
                                                    in MAPS (no beta), beside the other maps in MAPS

Similarities are those of docs/methods/map-attacks.md, (M1) to (M3)."""

import ast
import math
import os
import re
import struct
import sys
from array import array

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WINDOW, K1, K2 = 7, 0.01, 0.03


def load(path):
    """Shape and numbers of an .npy of floats."""
    with open(path, 'rb') as file:
        header = file.read(struct.unpack('<H', file.read(10)[8:])[0]).decode()
        return ast.literal_eval(header.strip())['shape'], array('f', file.read())


def make_input(pictures, count, side, out):
    count, cells = int(count), int(side) ** 2
    _, levels = load(pictures)
    numbers = array('f')
    for i in range(count):
        picture = levels[3 * cells * i:3 * cells * (i + 1)]
        for c in range(3):
            numbers.extend((level / 255 - MEAN[c]) / STD[c] for level in picture[c::3])
    header = repr({'descr': '<f4', 'fortran_order': False, 'shape': (count, 3, int(side), int(side))})
    with open(out, 'wb') as file:
        file.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', 118) + (header.ljust(117) + '\n').encode())
        numbers.tofile(file)


def mse(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b)) / len(a)


def pcc(a, b):
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    both = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return both / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def window_sums(values, height, width):
    """The sum over every window that lies inside."""
    rows = [[sum(values[y * width + x:y * width + x + WINDOW]) for x in range(width - WINDOW + 1)]
            for y in range(height)]
    return [sum(rows[y + i][x] for i in range(WINDOW))
            for y in range(height - WINDOW + 1) for x in range(width - WINDOW + 1)]


def ssim(a, b, height, width):
    n, span = WINDOW ** 2, max(max(a), max(b)) - min(min(a), min(b))
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    products = ([x * x for x in a], [y * y for y in b], [x * y for x, y in zip(a, b)])
    total = windows = 0
    for sa, sb, saa, sbb, sab in zip(*(window_sums(v, height, width) for v in (a, b) + products)):
        ma, mb = sa / n, sb / n
        va, vb, cov = ((s - n * m) / (n - 1) for s, m in ((saa, ma * ma), (sbb, mb * mb), (sab, ma * mb)))
        total += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
        windows += 1
    return total / windows


def compare(maps, smooth):
    print('image,method,beta,mse,ssim,pcc')
    for name in sorted(name for name in os.listdir(smooth) if name.endswith('.npy')):
        image, method, beta = re.fullmatch(r'input-(\d+)-(.*)-beta(.*)\.npy', name).groups()
        (height, width), relu = load(os.path.join(maps, f'input-{image}-{method}.npy'))
        _, soft = load(os.path.join(smooth, name))
        print(f'{int(image)},{method},{beta},{mse(relu, soft):.5g},'
              f'{ssim(relu, soft, height, width):.9g},{pcc(relu, soft):.9g}')


def alike(maps, smooth):
    print('image,method,beta,pcc')
    gradients = [(int(found[1]), found[2] or '', os.path.join(folder, name))
                 for folder in (maps, smooth) for name in os.listdir(folder)
                 if (found := re.fullmatch(r'input-(\d+)-gradient(?:-beta(.*))?\.npy', name))]
    for image, beta, path in sorted(gradients):
        _, gradient = load(path)
        for method in ('guided', 'pattern', 'lrp'):
            _, other = load(os.path.join(maps, f'input-{image:04d}-{method}.npy'))
            print(f'{image},{method},{beta},{pcc(other, gradient):.9g}')


if __name__ == '__main__':
    {'input': make_input, 'compare': compare, 'alike': alike}[sys.argv[1]](*sys.argv[2:])
