#!/usr/bin/env python3
"""The tables of docs/results.md on attacked maps are those that docs/measured/tables.py makes of the
committed CSV files."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MEASURED = os.path.join(ROOT, 'docs', 'measured')

with open(os.path.join(ROOT, 'docs', 'results.md'), encoding='utf-8') as file:
    published = set(file.read().splitlines())
passed = failed = 0
for network in sorted(os.listdir(MEASURED)):
    if not os.path.isdir(os.path.join(MEASURED, network)):
        continue
    made = subprocess.run([sys.executable, os.path.join(MEASURED, 'tables.py'), network],
                          capture_output=True, text=True, check=True).stdout
    missing = [line for line in made.splitlines() if line and line not in published]
    for line in missing[:3]:
        print(f'FAILED  measured.{network}: docs/results.md lacks {line}')
    passed, failed = passed + (not missing), failed + bool(missing)
print(f'{passed} passed, {failed} failed, 0 skipped')
sys.exit(failed > 0)
