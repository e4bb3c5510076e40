#!/usr/bin/env python3
"""The tables of docs/results.md on attacked maps and trained networks are those that the scripts
`tables.py` in docs/measured make of the committed CSV files, and networks kept in models/zoo are
those that its README names."""
import glob
import hashlib
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MEASURED = os.path.join(ROOT, 'docs', 'measured')

with open(os.path.join(ROOT, 'docs', 'results.md'), encoding='utf-8') as file:
    published = set(file.read().splitlines())
passed = failed = 0
for folder in sorted(glob.glob(os.path.join(MEASURED, '*', '*', ''))):
    study, network = os.path.split(folder.rstrip(os.sep))
    made = subprocess.run([sys.executable, os.path.join(study, 'tables.py'), network],
                          capture_output=True, text=True, check=True).stdout
    missing = [line for line in made.splitlines() if line and line not in published]
    for line in missing[:3]:
        print(f'FAILED  measured.{os.path.basename(study)}.{network}: docs/results.md lacks {line}')
    passed, failed = passed + (not missing), failed + bool(missing)
zoo = os.path.join(ROOT, 'models', 'zoo')
with open(os.path.join(zoo, 'README.md'), encoding='utf-8') as file:
    told = {name: digest for digest, name in
            re.findall(r'^    ([0-9a-f]{64})  (\S+)$', file.read(), re.MULTILINE)}
kept = {}
for name in glob.glob(os.path.join(zoo, '*.nw')):
    with open(name, 'rb') as file:
        kept[os.path.basename(name)] = hashlib.sha256(file.read()).hexdigest()
if kept != told:
    print(f'FAILED  measured.zoo: kept {kept}, told {told}')
passed, failed = passed + (kept == told), failed + (kept != told)
print(f'{passed} passed, {failed} failed, 0 skipped')
sys.exit(failed > 0)
