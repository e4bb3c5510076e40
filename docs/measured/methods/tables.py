"""Prints the rows of docs/results.md on three methods that describe and lose the same units.
usage: tables.py NETWORK"""
import csv
import math
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = {'dissection': 'Network Dissection', 'milan': 'MILAN',
           'soft-wpmi': 'CLIP-Dissect, `soft-wpmi`, mean',
           'cosine-cubed': 'CLIP-Dissect, `cosine-cubed`, max'}
DETECTOR = 0.04
DRAWS = 2000
PHOTOS = 400
NOISE = (('none (control)', 'gaussian', 0), ('Gaussian, s = 0.02', 'gaussian', 0.02),
         ('Gaussian, s = 0.05', 'gaussian', 0.05), ('uniform, 8/255', 'uniform', 8 / 255))
RUNS = (*((name, name + '-attack', '') for name in METHODS),
        ('soft-wpmi', 'soft-wpmi-relaxed', ', loss `soft-wpmi`'),
        ('soft-wpmi', 'soft-wpmi-anew', ', D anew'))
PGD = (('none (control)', 0), ('2/255', 2 / 255), ('4/255', 4 / 255), ('8/255', 8 / 255))


class Network:
    def __init__(self, name):
        self.folder = os.path.join(HERE, name)
        self.labels = {row['unit']: row for row in self.rows('dissection-units')}
        self.detectors = [unit for unit, row in self.labels.items()
                          if float(row['score']) >= DETECTOR]

    def rows(self, name):
        path = os.path.join(self.folder, name + '.csv')
        with open(path, newline='', encoding='utf-8') as file:
            return list(csv.DictReader(file))

    def outcomes(self, name, strength, units=None):
        """Rows of these units by unit; strengths are written with five digits."""
        return {row['unit0']: row for row in self.rows(name)
                if abs(float(row['strength']) - strength) < 1e-4
                and (units is None or row['unit0'] in units)}


def words(text):
    """Broden's marks of scenes and colours are no part of a name."""
    if text.endswith(('-c', '-s')):
        text = text[:-2]
    return set(text.lower().replace('_', ' ').split())


def wilson(hits, count, z=1.959963984540054):
    share, spread = hits / count, z * z / count
    middle = share + spread / 2
    width = math.sqrt(share * (1 - share) * spread + spread * spread / 4)
    return max(0, (middle - width) / (1 + spread)), min(1, (middle + width) / (1 + spread))


def share(hits, count):
    low, high = wilson(hits, count)
    return f'{hits} of {count}, {100 * hits / count:.1f} % ({100 * low:.1f}-{100 * high:.1f})'


def middle_of(values):
    """Mean and the middle 95 %, of sorted draws."""
    values = sorted(values)
    return sum(values) / len(values), values[DRAWS // 40], values[-DRAWS // 40 - 1]


def mean(values, form, between):
    """With a bootstrap interval."""
    draw, count = random.Random(0), len(values)
    _, low, high = middle_of([sum(draw.choices(values, k=count)) / count for _ in range(DRAWS)])
    return form.format(sum(values) / count) + f' ({form}{between}{form})'.format(low, high)


def changed(rows):
    return share(sum(row['changed'] == '1' for row in rows.values()), len(rows))


def naming(network, name, units):
    """Whether a description has all words of the label, beside units permuted."""
    said = {row['unit']: words(row['description']) for row in network.rows(name + '-units')}
    labels = [words(network.labels[unit]['description']) for unit in units]
    texts = [said[unit] for unit in units]

    def hits():
        return sum(label <= text for label, text in zip(labels, texts))
    found, draw, by_chance = hits(), random.Random(0), []
    for _ in range(DRAWS):
        draw.shuffle(texts)
        by_chance.append(100 * hits() / len(units))
    return share(found, len(units)) + ' | {:.1f} % ({:.1f}-{:.1f})'.format(*middle_of(by_chance))


def overlap(row):
    """(B11)"""
    before, after = words(row['clean_label']), words(row['new_label'])
    return len(before & after) / len(before | after) if before | after else 1


def lost(row):
    """Of the score of the clean description."""
    return float(row['clean_label_iou']) - float(row['clean_iou'])


def left(name, rows):
    """What similarity there is: of captions, else how the score of the old word moves."""
    if name == 'milan':
        return mean([overlap(row) for row in rows.values()], '{:.3f}', '-')
    return mean([lost(row) for row in rows.values()], '{:+.3f}', ' to ')


def attacked(told, strong, name, rows):
    poisoned = sum(int(row['poisoned']) for row in rows.values()) / len(rows)
    return f'| {told} | {strong} | {poisoned:.0f} ({100 * poisoned / PHOTOS:.1f} %) | ' \
           f'{changed(rows)} | {left(name, rows)} |'


def sign_test(first, second):
    """Units that change in one of two runs alone, and McNemar's exact test of them."""
    pairs = [(first[unit]['changed'] == '1', second[unit]['changed'] == '1') for unit in first]
    one, other = (sum(a > b for a, b in pairs), sum(a < b for a, b in pairs))
    count, least = one + other, min(one, other)
    p = min(1, 2 * sum(math.comb(count, k) for k in range(least + 1)) / 2 ** count)
    return f'{one} and {other}, p ' + (f'= {p:.3f}' if p >= 0.001 else '< 0.001')


def main():
    network = Network(sys.argv[1])
    groups = (('detectors', network.detectors), ('all', list(network.labels)))
    for group, units in groups:
        for name in list(METHODS)[1:]:
            print(f'| {group} | {METHODS[name]} | {naming(network, name, units)} |')
    for group, units in groups:
        for told, kind, strength in NOISE:
            rows = {name: network.outcomes(f'{name}-{kind}', strength, units) for name in METHODS}
            print(f'| {group} | {told} | ' + ' | '.join(map(changed, rows.values())) + ' |')
    for told, kind, strength in NOISE:
        rows = {name: network.outcomes(f'{name}-{kind}', strength, network.detectors)
                for name in METHODS}
        print(f'| {told} | ' + ' | '.join(left(*pair) for pair in rows.items()) + ' |')
    sample = set(network.outcomes('dissection-attack', 0))
    for name, run, more in RUNS:
        for told, strength in PGD:
            rows = network.outcomes(run, strength)
            print(attacked(METHODS[name] + more, told, name, rows))
        if not more:
            rows = network.outcomes(name + '-uniform', 8 / 255, sample)
            print(attacked(METHODS[name], 'uniform noise, 8/255', name, rows))
    for name, run, more in RUNS:
        noise = network.outcomes(name + '-uniform', 8 / 255, sample)
        print(f'| {METHODS[name]}{more} | ' + ' | '.join(
            sign_test(noise, network.outcomes(run, strength)) for _, strength in PGD[1:]) + ' |')
    for name in list(METHODS)[1:]:
        noise = [sign_test(*(network.outcomes(method + '-gaussian', strength, network.detectors)
                             for method in ('dissection', name))) for strength in (0.02, 0.05)]
        pgd = [sign_test(*(network.outcomes(method + '-attack', strength)
                           for method in ('dissection', name))) for _, strength in PGD[1:]]
        print(f'| {METHODS[name]} | ' + ' | '.join(noise + pgd) + ' |')


if __name__ == '__main__':
    main()
