#!/usr/bin/env python3
"""The tables of docs/results.md on attacked maps and on maps of softplus networks, from the CSV files
of this folder.

    python3 docs/measured/maps/tables.py FOLDER

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

    def kept_by_all(self, run, network):
        """By the network of the maps; where that is not the ReLU network, by that one, too."""
        kept = self.kept(run, network)
        return kept if network == 'relu' else f'{kept}, ReLU {self.kept(run, "relu")}'


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
    runs = [run for run in runs if net.rows(run[1], 'measures')]
    if not runs:
        return
    print(f'| {title} | pairs | clean | attacked | SSIM | own | photo | class kept | 8 bit | JPEG 75 |')
    print('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
    for name, run, network in runs:
        part = lambda column, **more: net.measured(run, column, network, **more)
        pcc, saved = part('map_pcc_target'), lambda **more: median(part('map_pcc_target', **more))
        print(f'| {name} | {len(pcc)} | {middle(part("map_pcc_target", control=1))} | {middle(pcc)} '
              f'| {median(part("map_ssim_target"))} | {median(part("map_pcc_original"))} '
              f'| {median(part("image_pcc"), 4)} | {net.kept_by_all(run, network)} '
              f'| {saved(store="png8")}, {saved(store="png8", control=1)} '
              f'| {saved(store="jpeg75")}, {saved(store="jpeg75", control=1)} |')
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
    """(what is claimed, of which method, the smaller values, the larger ones)"""
    target, own, saved = 'map_pcc_target', 'map_pcc_original', {'store': 'jpeg75'}
    for m in METHODS:
        beta, smooth = m + '-beta', m + '-smoothgrad'
        attacked, photo = net.measured(m, target), net.measured(m, 'image_pcc')
        yield ('attacked maps are closer to the target than clean ones', m,
               net.measured(m, target, control=1), attacked)
        yield 'photos keep a correlation above 0.99', m, dict.fromkeys(photo, 0.99), photo
        yield ('beta 1 takes attacked maps further from the target than beta 100', m,
               net.smoothed(m, target, '1'), net.smoothed(m, target, '100'))
        yield ('and brings them closer to the map of the clean picture', m,
               net.smoothed(m, own, '100'), net.smoothed(m, own, '1'))
        yield ('noise of 10 % takes them further from the target than 0.1 %', m,
               net.smoothed(m, target, '', '10:0.1'), net.smoothed(m, target, '', '10:0.001'))
        yield ('and brings them closer to the map of the clean picture, too', m,
               net.smoothed(m, own, '', '10:0.001'), net.smoothed(m, own, '', '10:0.1'))
        yield ('attacked directly, maps of beta 0.8 come less close than plain ones', m,
               net.measured(beta, target, 'softplus'), attacked)
        yield ('the same by SSIM', m, net.measured(beta, 'map_ssim_target', 'softplus'),
               net.measured(m, 'map_ssim_target'))
        yield ('the same by mean squared difference', m, net.measured(m, 'map_mse_target'),
               net.measured(beta, 'map_mse_target', 'softplus'))
        yield ('attacked directly, SmoothGrad maps come less close than plain ones', m,
               net.measured(smooth, target), attacked)
        yield ('JPEG 75 takes attacked maps away from the target', m,
               net.measured(m, target, **saved), attacked)
        yield ('and leaves them closer to it than clean ones', m,
               net.measured(m, target, control=1, **saved), net.measured(m, target, **saved))
    for beta in (10, 100, 1000):
        yield (f'a growing beta ends with a lower mean squared difference than beta {beta}', 'gradient',
               net.measured('gradient', 'map_mse_target'),
               net.measured(f'gradient-fixed{beta}', 'map_mse_target'))


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


def smooth_maps(net, method, column):
    """By beta, a column by image."""
    found = {}
    for row in net.rows('resnet20', 'maps'):
        if row['method'] == method:
            found.setdefault(int(row['beta']), {})[row['image']] = float(row[column])
    return dict(sorted(found.items()))


def print_smooth_maps(net):
    methods = [m for m in METHODS if smooth_maps(net, m, 'pcc')]
    if not methods:
        return
    betas = list(smooth_maps(net, methods[0], 'pcc'))
    print('| PCC | ' + ' | '.join(f'beta {b}' for b in betas) + ' |')
    print('| --- |' + ' ---: |' * len(betas))
    for m in methods:
        print(f'| `{m}` | ' + ' | '.join(
            middle(rows).replace('--', ' to -') for rows in smooth_maps(net, m, 'pcc').values()) + ' |')
    print()
    print('| SSIM, 1e6 MSE | ' + ' | '.join(f'beta {b}' for b in betas) + ' |')
    print('| --- |' + ' ---: |' * len(betas))
    for m in methods:
        alike, apart = smooth_maps(net, m, 'ssim'), smooth_maps(net, m, 'mse')
        print(f'| `{m}` | ' + ' | '.join(
            f'{median(alike[b])}, {1e6 * statistics.median(apart[b].values()):.2g}' for b in betas) + ' |')
    print()
    print('| closer to ReLU | ' + ' | '.join(f'{a} to {b}' for a, b in zip(betas, betas[1:])) + ' |')
    print('| --- |' + ' --- |' * (len(betas) - 1))
    for m in methods:
        print(f'| `{m}` | ' + ' | '.join(
            '; '.join(closer(net, m, column, a, b) for column in ('pcc', 'ssim', 'mse'))
            for a, b in zip(betas, betas[1:])) + ' |')
    print()


def print_alike(net):
    """How like other maps the gradient of a softplus network is; beta '' is the ReLU network's."""
    found = {}
    for row in net.rows('resnet20', 'alike'):
        found.setdefault(row['method'], {}).setdefault(row['beta'], {})[row['image']] = float(row['pcc'])
    if not found:
        return
    betas = ['1', '3', '10', '30', '100']
    print('| PCC with the gradient of | ReLU | ' + ' | '.join(f'beta {b}' for b in betas) + ' |')
    print('| --- |' + ' ---: |' * (1 + len(betas)))
    for method, rows in found.items():
        print(f'| `{method}` | ' + ' | '.join(
            middle(rows[b]).replace('--', ' to -') for b in [''] + betas) + ' |')
    print()
    print('| closer than the ReLU gradient | ' + ' | '.join(f'beta {b}' for b in betas) + ' |')
    print('| --- |' + ' --- |' * len(betas))
    for method, rows in found.items():
        print(f'| `{method}` | ' + ' | '.join(sign_test(rows[''], rows[b]) for b in betas) + ' |')
    print()


def closer(net, method, column, beta, larger):
    """In how many images, with the verdict where it does not hold."""
    rows = smooth_maps(net, method, column)
    less, more = (rows[larger], rows[beta]) if column == 'mse' else (rows[beta], rows[larger])
    word, count = sign_test(less, more).split(', ')
    return count if word == 'holds' else f'{count} {word}'


PLAIN = METHODS + ('lrp-epsilon', 'lrp-gamma', 'lrp-alpha2beta1', 'lrp-epsilon-plus')


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: tables.py FOLDER')
    net = Network(sys.argv[1])
    print_smooth_maps(net)
    print_alike(net)
    print_attacks(net, [(f'`{m}`', m, 'relu') for m in PLAIN], 'ReLU maps')
    print_attacks(net, [(f'`{m}`, beta 0.8', m + '-beta', 'softplus') for m in METHODS] +
                  [(f'`{m}`, SmoothGrad', m + '-smoothgrad', 'relu') for m in METHODS], 'smoothed maps')
    print_attacks(net, [(f'beta {b}', f'gradient-fixed{b}', 'relu') for b in (10, 100, 1000)],
                  'ReLU maps, fixed beta')
    if not any(net.rows(m, 'smoothing') for m in METHODS):
        return
    betas = [('plain', '', '')] + [(f'beta {b}', f'{b}', '') for b in (100, 10, 3, 1)]
    levels = [(f'noise {100 * l:g} %', '', f'10:{l:g}') for l in (0.001, 0.01, 0.1)]
    print_again(net, 'map_pcc_target', betas + levels, 'PCC with the target')
    print_again(net, 'map_pcc_original', betas + levels, 'PCC with the clean photo')
    print_directions(net)


if __name__ == '__main__':
    main()
