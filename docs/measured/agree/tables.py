"""Prints the rows of docs/results.md on methods that describe the same units.
usage: tables.py NETWORK"""
import csv
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = {'netdissect': 'Network Dissection', 'milan': 'MILAN', 'clip-dissect': 'CLIP-Dissect',
         'milan-places365': 'MILAN, other captioner'}
PAIRS = (('netdissect', 'milan'), ('netdissect', 'clip-dissect'), ('milan', 'clip-dissect'),
         ('milan', 'milan-places365'))


def rows_of(network, name):
    path = os.path.join(HERE, network, name + '.csv')
    with open(path, newline='', encoding='utf-8') as file:
        return {(row['a'], row['b'], row['group'], row['figure']): row
                for row in csv.DictReader(file)}


def share(row):
    value, low, high, chance = (100 * float(row[key]) for key in ('value', 'low', 'high', 'chance'))
    return f'{value:.1f} % ({low:.1f}-{high:.1f}) | {chance:.1f} %'


def mean(row):
    return '{:.3f} ({:.3f}-{:.3f}) | {:.3f}'.format(
        *(float(row[key]) for key in ('value', 'low', 'high', 'chance')))


def line(rows, pair, group, *first):
    same, overlap = (rows[(*pair, group, figure)] for figure in ('same', 'word_overlap'))
    print('| ' + ' | '.join((*first, same['units'], share(same), mean(overlap))) + ' |')


def main():
    for name, told in (('units', 'all'), ('detectors', 'detectors')):
        rows = rows_of(sys.argv[1], name)
        for pair in PAIRS:
            line(rows, pair, 'all', told, ' and '.join(NAMES[method] for method in pair))
    rows = rows_of(sys.argv[1], 'units')
    for pair in PAIRS:
        for layer in (1, 2, 3, 4):
            line(rows, pair, f'layer{layer}', ' and '.join(NAMES[method] for method in pair),
                 f'`layer{layer}`')


if __name__ == '__main__':
    main()
