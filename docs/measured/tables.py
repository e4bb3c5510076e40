#!/usr/bin/env python3
"""The tables of docs/results.md on attacked maps, from the CSV files of this folder.

    python3 docs/measured/tables.py NETWORK

Medians over pairs with a 95 % bootstrap interval (2000 samples), and for each direction that the study
of Dombrowski et al. claims a sign test over the pairs, two-sided: it holds, or does not, where p is
below 0.05; else it is undecided. Ties are left out."""

import csv
import math
import os
import random
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = ('gradient', 'gradient-x-input', 'integrated', 'guided', 'pattern', 'lrp')
DRAWS, LEVEL = 2000, 0.05


class Network:
    def __init__(self, name):
        self.folder = os.path.join(HERE, name)

    def rows(self, run, table):
        path = os.path.join(self.folder, f'{run}-{table}.csv')
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return list(csv.DictReader(file))

    def measured(self, run, column, network='relu', store='float', control=0):
        """A column by pair."""
        return {row['pair']: float(row[column]) for row in self.rows(run, 'measures')
                if (row['network'], row['store'], row['control']) == (network, store, str(control))}

    def smoothed(self, run, column, beta='', smooth=''):
        return {row['pair']: float(row[column]) for row in self.rows(run, 'smoothing')
                if (row['beta'], row['smooth']) == (beta, smooth)}

    def kept(self, run, network, control=0):
        before = self.measured(run, 'class_before', network, control=control)
        after = self.measured(run, 'class_after', network, control=control)
        return f'{sum(before[p] == after[p] for p in before)}/{len(before)}'


def middle(values, digits=3):
    """Median and interval."""
    values = sorted(values.values())
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    low, high = medians[DRAWS // 40], medians[-DRAWS // 40 - 1]
    return f'{statistics.median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})'


def median(values, digits=3):
    return f'{statistics.median(values.values()):.{digits}f}' if values else ''


def sign_test(less, more):
    """Does `more` exceed `less`? The verdict, and in how many pairs."""
    pairs = [p for p in less if p in more and less[p] != more[p]]
    count, wins = len(pairs), sum(more[p] > less[p] for p in pairs)
    tail = sum(math.comb(count, k) for k in range(max(wins, count - wins), count + 1)) / 2 ** count
    p = min(1.0, 2 * tail)
    word = 'undecided' if p >= LEVEL else 'holds' if 2 * wins > count else 'does not'
    return f'{word}, {wins}/{count}'


def print_attacks(net, runs, title):
    print(f'| {title} | pairs | target: clean | attacked | SSIM | own | photo | class kept | 8 bit | JPEG 75 (clean) |')
    print('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
    for name, run, network in runs:
        pcc = net.measured(run, 'map_pcc_target', network)
        if pcc:
            part = lambda column, **more: net.measured(run, column, network, **more)
            print(f'| {name} | {len(pcc)} | {middle(part("map_pcc_target", control=1))} | {middle(pcc)} '
                  f'| {median(part("map_ssim_target"))} | {median(part("map_pcc_original"))} | {median(part("image_pcc"), 4)} '
                  f'| {net.kept(run, network)} | {median(part("map_pcc_target", store="png8"))} '
                  f'| {median(part("map_pcc_target", store="jpeg75"))} ({median(part("map_pcc_target", store="jpeg75", control=1))}) |')
    print()


def print_again(net, column, views, title):
    print(f'| {title} | ' + ' | '.join(label for label, _, _ in views) + ' |')
    print('| --- |' + ' ---: |' * len(views))
    for method in METHODS:
        if net.rows(method, 'smoothing'):
            print(f'| `{method}` | ' + ' | '.join(
                median(net.smoothed(method, column, beta, smooth), 2) for _, beta, smooth in views) + ' |')
    print()


def directions(net):
    """(what is claimed, by method, the smaller values, the larger ones)"""
    for m in METHODS:
        map_ = lambda column, control=0, run=m, network='relu': net.measured(run, column, network, control=control)
        yield 'E2: attacked maps are closer to the target than clean ones (PCC)', m, map_('map_pcc_target', 1), map_('map_pcc_target')
        photo = map_('image_pcc')
        yield 'E3: photos keep a PCC above 0.99', m, dict.fromkeys(photo, 0.99), photo
        again = lambda column, beta='', smooth='': net.smoothed(m, column, beta, smooth)
        yield 'E7: beta 1 instead of 100 moves attacked maps away from the target (PCC)', m, again('map_pcc_target', '1'), again('map_pcc_target', '100')
        yield 'E7: and back to the map of the clean photo', m, again('map_pcc_original', '100'), again('map_pcc_original', '1')
        yield 'E8: noise of 10 % instead of 0.1 % does the first', m, again('map_pcc_target', '', '10:0.1'), again('map_pcc_target', '', '10:0.001')
        yield 'E8: and the second', m, again('map_pcc_original', '', '10:0.001'), again('map_pcc_original', '', '10:0.1')
        smooth = map_('map_pcc_target', 0, m + '-beta', 'softplus')
        yield 'E9, E10: maps with beta 0.8, attacked directly, come less close (PCC)', m, smooth, map_('map_pcc_target')
        yield 'E10: lower SSIM', m, map_('map_ssim_target', 0, m + '-beta', 'softplus'), map_('map_ssim_target')
        yield 'E10: higher map MSE', m, map_('map_mse_target'), map_('map_mse_target', 0, m + '-beta', 'softplus')
        yield 'E9: SmoothGrad maps, attacked directly, come less close (PCC)', m, map_('map_pcc_target', 0, m + '-smoothgrad'), map_('map_pcc_target')
        yield 'storage: JPEG 75 takes attacked maps away from the target (PCC)', m, net.measured(m, 'map_pcc_target', store='jpeg75'), map_('map_pcc_target')
        yield 'storage: after JPEG 75 they are still closer than clean ones', m, net.measured(m, 'map_pcc_target', store='jpeg75', control=1), net.measured(m, 'map_pcc_target', store='jpeg75')
    for beta in (10, 100, 1000):
        yield f'E5: growing beta ends with a lower map MSE than beta {beta}', 'gradient', \
            net.measured('gradient', 'map_mse_target'), net.measured(f'gradient-fixed{beta}', 'map_mse_target')


def print_directions(net):
    found, methods = {}, [m for m in METHODS if net.rows(m, 'measures')]
    for claim, method, less, more in directions(net):
        if less and more:
            found.setdefault(claim, {})[method] = sign_test(less, more)
    print('| direction | ' + ' | '.join(f'`{m}`' for m in methods) + ' |')
    print('| --- |' + ' --- |' * len(methods))
    for claim, verdicts in found.items():
        print(f'| {claim} | ' + ' | '.join(verdicts.get(m, '') for m in methods) + ' |')
    print()


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: tables.py NETWORK')
    net = Network(sys.argv[1])
    print_attacks(net, [(f'`{m}`', m, 'relu') for m in METHODS + ('lrp-epsilon', 'lrp-gamma', 'lrp-alpha2beta1', 'lrp-epsilon-plus')], 'ReLU maps')
    print_attacks(net, [(f'`{m}`, beta 0.8', m + '-beta', 'softplus') for m in METHODS] +
                  [(f'`{m}`, SmoothGrad', m + '-smoothgrad', 'relu') for m in METHODS], 'smoothed maps')
    print_attacks(net, [(f'beta {b}', f'gradient-fixed{b}', 'relu') for b in (10, 100, 1000)], 'ReLU maps, fixed beta')
    betas = [('plain', '', '')] + [(f'beta {b}', f'{b}', '') for b in (100, 10, 3, 1)]
    levels = [(f'noise {100 * l:g} %', '', f'10:{l:g}') for l in (0.001, 0.01, 0.1)]
    print_again(net, 'map_pcc_target', betas + levels, 'PCC with the target')
    print_again(net, 'map_pcc_original', betas + levels, 'PCC with the clean photo')
    print_directions(net)


if __name__ == '__main__':
    main()
