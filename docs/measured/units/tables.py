"""Prints the rows of docs/results.md on units of this folder's networks, a layer each.
usage: tables.py NETWORK"""
import csv
import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DETECTOR = 0.04


def rows_of(folder, name):
    with open(os.path.join(folder, name + '.csv'), newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def of_detectors(rows, strength):
    """The row of this strength; strengths are written with five digits."""
    return next(row for row in rows
                if row['group'] == 'detectors' and abs(float(row['strength']) - strength) < 1e-4)


def changed(row):
    return f"{100 * float(row['share']):.1f} % " \
           f"({100 * float(row['low']):.1f}-{100 * float(row['high']):.1f})"


def kept(row):
    return f"{100 * float(row['kept_iou']):.1f} %"


def layers(folder, ending):
    return sorted(os.path.basename(path)[:-len(ending)]
                  for path in glob.glob(os.path.join(folder, '*' + ending)))


def main():
    network = sys.argv[1]
    folder = os.path.join(HERE, network)
    for layer in layers(folder, '-noise.csv'):
        units, noise = (rows_of(folder, f'{layer}-{part}') for part in ('units', 'noise'))
        little, much = (of_detectors(noise, strength) for strength in (0.05, 0.1))
        detectors = [unit for unit in units if float(unit['score']) >= DETECTOR]
        kinds = [sum(unit['category'] == kind for unit in detectors)
                 for kind in ('color', 'texture', 'part', 'object')]
        print(f"| `{network}` | `{layer}` | {len(detectors)} of {len(units)} | "
              + ' | '.join(map(str, kinds)) +
              f" | {changed(little)} | {kept(little)} | {changed(much)} | {kept(much)} |")
    for layer in layers(folder, '-attack.csv'):
        attack = rows_of(folder, f'{layer}-attack')
        weak, strong = (of_detectors(attack, strength) for strength in (2 / 255, 4 / 255))
        print(f"| `{network}` | `{layer}` | {weak['units']} | {changed(weak)} | {kept(weak)} | "
              f"{changed(strong)} | {kept(strong)} |")


if __name__ == '__main__':
    main()
