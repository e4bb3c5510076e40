"""Makes a probing set of small pictures of one in Broden's layout: photos resized by the program with
the filter that a weight blob asks for, label maps by nearest neighbour. Both become SIDE x SIDE, and
the tables count the labels anew.

    python3 tests/shrink_probe.py PROBE SIDE OUT [FILE.nw]

Runs $NEMESIS (./nemesis). A finished OUT is left as it is."""

import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib

PLACES = ('image', 'split', 'ih', 'iw', 'sh', 'sw')   # all other columns name label maps
NEMESIS = os.environ.get('NEMESIS', './nemesis')


def run(*words):
    return subprocess.run((NEMESIS, *words), check=True, stdout=subprocess.PIPE).stdout


def picture_filter(blob):
    if not blob:
        return 'bilinear'
    return json.loads(run('inspect', blob, '--json')).get('preparation', {}).get('filter', 'bilinear')


def read_npy(path):
    """(shape, float32 numbers) of what `nemesis image` writes."""
    with open(path, 'rb') as file:
        data = file.read()
    start = 10 + struct.unpack_from('<H', data, 8)[0]
    shape = data[10:start].decode().split('(')[1].split(')')[0]
    return [int(n) for n in shape.split(',') if n.strip()], memoryview(data)[start:].cast('f')


def write_png(path, side, rows):
    """RGB, 8 bits; rows are bytes."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + \
            struct.pack('>I', zlib.crc32(kind + data))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n'
                   + chunk(b'IHDR', struct.pack('>2I5B', side, side, 8, 2, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(b''.join(b'\0' + row for row in rows)))
                   + chunk(b'IEND', b''))


def shrink_labels(source, target, side, scratch):
    """The label at the middle of every cell, red + 256 green. Returns {label: its share}."""
    run('image', source, '-o', scratch, '-q')
    (height, width, channels), values = read_npy(scratch)
    rows, shares = [], {}
    for y in range(side):
        start = (2 * y + 1) * height // (2 * side) * width
        places = [(start + (2 * x + 1) * width // (2 * side)) * channels for x in range(side)]
        rows.append(bytes(int(values[place + c]) for place in places for c in range(3)))
        for place in places:
            label = int(values[place]) + 256 * int(values[place + 1])
            shares[label] = shares.get(label, 0) + 1 / side ** 2
    write_png(target, side, rows)
    return shares


def recount(source, target, counts):
    """A table with new columns frequency and coverage; counts {label: [images, sum of shares]}."""
    with open(source, newline='') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row['frequency'], row['coverage'] = counts.get(int(row['number']), (0, 0))
    with open(target, 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit('usage: shrink_probe.py PROBE SIDE OUT [FILE.nw]')
    probe, side, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    blob = sys.argv[4] if len(sys.argv) > 4 else None
    if os.path.exists(os.path.join(out, 'index.csv')):
        return
    resize, scratch = picture_filter(blob), os.path.join(out, 'scratch.npy')
    with open(os.path.join(probe, 'index.csv'), newline='') as file:
        rows = list(csv.DictReader(file))
    counts = {column: {} for column in rows[0] if column not in PLACES}
    for row in rows:
        photo = os.path.splitext(row['image'])[0] + '.png'
        os.makedirs(os.path.dirname(os.path.join(out, 'images', photo)), exist_ok=True)
        run('image', os.path.join(probe, 'images', row['image']), '--resize', str(side), '--filter',
            resize, '--crop', str(side), '-o', os.path.join(out, 'images', photo), '-q')
        for column, counted in counts.items():
            shares = {}
            for name in filter(None, row[column].split(';')):
                found = {int(name): 1} if name.isdigit() else shrink_labels(
                    os.path.join(probe, 'images', name), os.path.join(out, 'images', name), side,
                    scratch)
                shares.update({label: shares.get(label, 0) + found[label] for label in found})
            for label, share in shares.items():
                images, total = counted.get(label, (0, 0))
                counted[label] = images + 1, total + share
        row.update(image=photo, ih=side, iw=side, sh=side, sw=side)
    every = {}
    for column, counted in counts.items():
        name = f'c_{column}.csv'
        recount(os.path.join(probe, name), os.path.join(out, name), counted)
        for label, (images, total) in counted.items():
            before = every.get(label, (0, 0))
            every[label] = before[0] + images, before[1] + total
    recount(os.path.join(probe, 'label.csv'), os.path.join(out, 'label.csv'), every)
    shutil.copyfile(os.path.join(probe, 'category.csv'), os.path.join(out, 'category.csv'))
    os.remove(scratch)
    with open(os.path.join(out, 'index.part'), 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    os.rename(os.path.join(out, 'index.part'), os.path.join(out, 'index.csv'))


if __name__ == '__main__':
    main()
