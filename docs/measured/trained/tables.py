#!/usr/bin/env python3
"""The tables of docs/results.md on trained networks, from the CSV files of this folder.

    python3 docs/measured/trained/tables.py NETWORK

Means over pictures, with the 95 % interval over pictures that `robustness` gives, and for each
direction that the study of Joo et al. claims the sign test of `compare` over the same pictures: it
holds, or does not, where p is below 0.05; else it is undecided."""

import csv
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = ('gradient', 'gradient-x-input', 'lrp-epsilon-plus', 'integrated')
TRAININGS = ('ce-1', 'hessian-1', 'l2-cosd-1', 'ce-2', 'hessian-2', 'l2-cosd-2', 'cos-1', 'l2-1', 'pgd-1')
STRENGTHS = {'4/255': 4 / 255, '8/255': 8 / 255, '16/255': 16 / 255}
LEVEL = 0.05


class Network:
    def __init__(self, name):
        self.folder = os.path.join(HERE, name)

    def rows(self, name):
        path = os.path.join(self.folder, f'{name}.csv')
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return list(csv.DictReader(file))

    def trainings(self, method):
        return [t for t in TRAININGS if self.rows(f'{t}-{method}-moved')]

    def row(self, training, method, part, measure, similarity, setting=None):
        """Of the first setting when none is asked for."""
        for row in self.rows(f'{training}-{method}-{part}'):
            if (row['measure'], row['similarity']) == (measure, similarity) and (
                    setting is None or row['setting'] == setting
                    or isinstance(setting, float) and row['setting'][:1].isdigit()
                    and abs(float(row['setting']) - setting) < 1e-4):
                return row
        return None


def interval(row, form='.3f'):
    if not row:
        return ''
    value, low, high = (format(float(row[key]), form) for key in ('value', 'low', 'high'))
    return f'{value} ({low}-{high})'


def print_similarities(net, method):
    print(f'| `{method}` | uniform, 4/255 | 8/255 | 16/255 | normal, 4/255 | attacked | and the frame |')
    print('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
    for training in net.trainings(method):
        for similarity in ('cosine', 'pcc', 'ssim'):
            cells = [interval(net.row(training, method, 'random', 'rps', similarity, strength))
                     for strength in STRENGTHS.values()]
            cells.append(interval(net.row(training, method, 'moved', 'bound', similarity, STRENGTHS['4/255'])))
            cells += [interval(net.row(training, method, 'moved', measure, similarity))
                      for measure in ('aam', 'aam-target')]
            print(f'| {training}, {similarity} | ' + ' | '.join(cells) + ' |')
    print()


def print_answers(net):
    print('| training | right | attacked map | PGD | insertion | adv-insertion | length of H r | of g | ratio | Cosd |')
    print('| --- |' + ' ---: |' * 9)
    for training in net.trainings('gradient'):
        of = lambda part, *what: net.row(training, 'gradient', part, *what)
        cells = [interval(of('random', 'accuracy', 'correct', 'clean')),
                 interval(of('moved', 'accuracy', 'correct', 'aam')),
                 interval(of('random', 'accuracy', 'correct', 'pgd')),
                 interval(of('random', 'insertion', 'probability', 'mean')),
                 interval(of('moved', 'adv-insertion', 'probability', 'mean'))]
        cells += [interval(of('moved', 'bound', what, STRENGTHS['4/255']), '#.3g')
                  for what in ('hessian-norm', 'gradient-norm', 'ratio', 'cosd')]
        print(f'| {training} | ' + ' | '.join(cells) + ' |')
    print()


def print_other_answers(net):
    rows = [(t, m) for m in METHODS[1:] for t in net.trainings(m)]
    if not rows:
        return
    print('| map, training | attacked map | insertion | adv-insertion |')
    print('| --- |' + ' ---: |' * 3)
    for training, method in rows:
        cells = [interval(net.row(training, method, 'moved', 'accuracy', 'correct', 'aam')),
                 interval(net.row(training, method, 'random', 'insertion', 'probability', 'mean')),
                 interval(net.row(training, method, 'moved', 'adv-insertion', 'probability', 'mean'))]
        print(f'| `{method}`, {training} | ' + ' | '.join(cells) + ' |')
    print()


def verdict(row, rises):
    if not row:
        return ''
    up, down = int(row['above']), int(row['below'])
    word = 'undecided' if float(row['p']) >= LEVEL else 'holds' if (up > down) == rises else 'does not'
    return f"{word}, {up if rises else down}/{up + down}"


CLAIMS = (  # (what a better training does, part, measure, similarity, setting or None, does the value rise)
    ('PCC, moved by uniform numbers of 8/255', 'random', 'rps', 'pcc', STRENGTHS['8/255'], True),
    ('SSIM, the same', 'random', 'rps', 'ssim', STRENGTHS['8/255'], True),
    ('PCC, moved by normal numbers of 4/255', 'moved', 'bound', 'pcc', STRENGTHS['4/255'], True),
    ('PCC of attacked and clean maps', 'moved', 'aam', 'pcc', None, True),
    ('SSIM, the same', 'moved', 'aam', 'ssim', None, True),
    ('PCC of attacked maps and the frame', 'moved', 'aam-target', 'pcc', None, False),
    ('ratio of H r to g', 'moved', 'bound', 'ratio', STRENGTHS['4/255'], False),
    ('Cosd', 'moved', 'bound', 'cosd', STRENGTHS['4/255'], False))


PAIRS = (('ce', 'hessian'), ('hessian', 'l2-cosd'), ('ce', 'l2-cosd'), ('l2', 'cos'))


def print_directions(net, method):
    found = [(f'{a}-{seed}', f'{b}-{seed}') for seed in (1, 2) for a, b in PAIRS
             if net.rows(f'{a}-{seed}-{b}-{seed}-{method}-moved')]
    if not found:
        return
    print(f'| `{method}` | ' + ' | '.join(f'{a} to {b}' for a, b in found) + ' |')
    print('| --- |' + ' --- |' * len(found))
    # What gradients do beside Hessians is the same whichever map is asked for.
    claims = CLAIMS if method == 'gradient' else [c for c in CLAIMS if c[3] not in ('ratio', 'cosd')]
    for text, part, measure, similarity, setting, rises in claims:
        cells = [verdict(net.row(f'{a}-{b}', method, part, measure, similarity, setting), rises)
                 for a, b in found]
        if any(cells):
            print(f"| {text} {'rises' if rises else 'falls'} | " + ' | '.join(cells) + ' |')
    print()


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: tables.py NETWORK')
    net = Network(sys.argv[1])
    for method in METHODS:
        if net.trainings(method):
            print_similarities(net, method)
    if net.trainings('gradient'):
        print_answers(net)
    print_other_answers(net)
    for method in METHODS:
        print_directions(net, method)


if __name__ == '__main__':
    main()
