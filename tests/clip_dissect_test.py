"""CLIP-Dissect of the built program against the formulas in NumPy: all five similarities, the permutations
of rank-reorder drawn once more, pooling, and what a run folder holds. The towers are thin seeded ones of
CLIP's layout. Skipped where NumPy or the data is absent. The last line is `N passed, N failed, N skipped`."""

import csv
import gzip
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from numeric import import_numpy, leave

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.environ.get('NEMESIS_DATA') or os.path.join(ROOT, '..', 'shared', 'data')
TOWERS = os.path.join(DATA, 'reference', 'clip_thin.pth')
MERGES = os.path.join(DATA, 'text', 'clip', 'bpe_simple_vocab_16e6.txt.gz')
PROGRAM = os.path.abspath(os.environ.get('NEMESIS') or os.path.join(ROOT, 'nemesis'))
WORDS = ('red green blue yellow door tree house dog cat sky grass crown banded dotted leg wheel light dark '
         'warm metal wood street a an the of and night day round square small large').split()
IMAGES, MASK = 120, 0xFFFFFFFF
BOUND = 2e-5  # relative; activations and embeddings are read as the program wrote them, in float32
# E is kept in float32: the largest it can be, images times the logarithm of the least probability.
LARGEST = {'soft-wpmi': 100 * 6.3, 'wpmi': 28 * 16.2}


def program(*arguments):
    run = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode:
        raise RuntimeError(f'{arguments}: {run.stdout.decode()}')


# ---- the generator, Philox 4x32-10 ------------------------------------------------------------------------


def philox(key, high, low):
    c = [low & MASK, low >> 32, high & MASK, high >> 32]
    k = [key & MASK, key >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & MASK, (p >> 32) ^ c[3] ^ k[1], p & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def key_of(seed, purpose):
    mixed = 0xCBF29CE484222325
    for byte in purpose.encode():
        mixed = ((mixed ^ byte) * 0x100000001B3) & (2**64 - 1)
    words = philox(seed, mixed, 0)
    return words[1] << 32 | words[0]


def permutation(unit, draw, count):
    key, at = key_of(0, 'rank-reorder'), (unit * 5 + draw) << 32
    out = list(range(count))
    for i in range(count - 1, 0, -1):
        while True:
            word = philox(key, 0, at // 4)[at % 4]
            at += 1
            if word >= (2**32 - (i + 1)) % (i + 1):
                break
        other = word % (i + 1)
        out[i], out[other] = out[other], out[i]
    return out


# ---- the similarities -------------------------------------------------------------------------------------


def ranked(np, q):
    """Images of one unit by activation, the lower number first among equals."""
    return np.lexsort((np.arange(len(q)), -q))


def wpmi(np, P, q, top, factor, first, last, strength):
    S = np.exp(factor * P)
    S /= S.sum(axis=1, keepdims=True)
    p = first - np.arange(top) / top * (first - last)
    E = np.stack([np.log(1 + p[:, None] * (S[ranked(np, unit)[:top]] - 1) + 1e-7).sum(axis=0) for unit in q])
    most = E.max(axis=0)
    return E - strength * (most + np.log(np.exp(E - most).mean(axis=0)))


def cosine(np, P, q):
    return (q @ P) / np.linalg.norm(P, axis=0) / np.linalg.norm(q, axis=1)[:, None]


def cosine_cubed(np, P, q):
    x, y = (P - P.mean(axis=0))**3, (q - q.mean(axis=1, keepdims=True))**3
    x /= np.maximum(np.linalg.norm(x, axis=0), 1e-3)
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-3)
    return y @ x


def rank_reorder(np, P, q):
    k = P.shape[0] // 20
    out = np.empty((q.shape[0], P.shape[1]))
    for unit, values in enumerate(q):
        images = ranked(np, values)[:k]
        t, up = values[images], values[images][::-1]
        chance = np.mean([np.abs(up - up[permutation(unit, d, k)])**3 for d in range(5)])
        ranks = np.argsort(np.argsort(P[images], axis=0, kind='stable'), axis=0)
        error = (np.abs(t[:, None] - up[ranks])**3).mean(axis=0)
        out[unit] = -(error / chance) / np.sqrt(P[images].mean(axis=0))
    return out


SIMILARITIES = {
    'soft-wpmi': lambda np, P, q: wpmi(np, P, q, 100, 10, 0.998, 0.97, 1),
    'wpmi': lambda np, P, q: wpmi(np, P, q, 28, 2, 1, 1, 0.6),
    'cosine': cosine,
    'cosine-cubed': cosine_cubed,
    'rank-reorder': rank_reorder,
}


# ---- runs -------------------------------------------------------------------------------------------------


class Tests:
    def __init__(self, np, folder):
        self.np, self.folder = np, folder
        self.passed = self.failed = 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def check(self, name, passed):
        self.passed += passed
        self.failed += not passed
        print(f"{'ok      ' if passed else 'FAILED  '}clip_dissect_numpy.{name}")

    def prepare(self):
        merges = self.path('merges.txt')
        with gzip.open(MERGES, 'rt', encoding='utf-8') as file, open(merges, 'w', encoding='utf-8') as out:
            out.writelines(next(file) for _ in range(81))  # as many tokens as the thin tower has rows for
        subprocess.run([sys.executable, os.path.join(ROOT, 'weights', 'convert.py'), TOWERS, '--merges', merges,
                        '-o', self.path('clip.nw')], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with open(self.path('words.txt'), 'w', encoding='utf-8') as out:
            out.write('\n\n'.join(WORDS))
        program('mini', '--images', str(IMAGES), '-o', self.path('world'))

    def describe(self, name, *options):
        program('describe', '--method', 'clip-dissect', '-m', os.path.join(ROOT, 'demo', 'mini.nw'), '-l', 'conv4_2',
                '-d', self.path('world'), '--clip', self.path('clip.nw'), '--concepts', self.path('words.txt'),
                '--top', str(len(WORDS)), '-o', self.path(name), *options)

    def array(self, *names):
        return self.np.load(self.path(*names)).astype(self.np.float64)

    def rows(self, *names):
        with open(self.path(*names), newline='') as file:
            return list(csv.DictReader(file))

    def equals(self, similarity, run):
        """Every word of every unit, in order, with its similarity."""
        np = self.np
        P = self.array(run, 'images.npy') @ self.array(run, 'concepts.npy').T
        with np.errstate(invalid='ignore', divide='ignore'):
            wanted = SIMILARITIES[similarity](np, P, self.array(run, 'activations.npy'))
        found = np.full(wanted.shape, np.nan)
        before, best = {}, {}
        for row in self.rows(run, 'words.csv'):
            unit, value = int(row['unit']), float(row['similarity'])
            found[unit, WORDS.index(row['word'])] = value
            if value > before.get(unit, value):
                return False
            before[unit] = value
            best.setdefault(unit, (row['word'], row['similarity']))
        for row in self.rows(run, 'units.csv'):
            none = int(row['unit']) not in best
            if none != (row['description'] == '') or \
                    (not none and best[int(row['unit'])] != (row['description'], row['score'])):
                return False
        if (np.isnan(found) != np.isnan(wanted)).any():
            return False
        bound = BOUND * np.maximum(1, np.abs(wanted)) + 2**-23 * LARGEST.get(similarity, 0)
        return bool(np.nanmax(np.abs(found - wanted) / bound) < 1)

    def similarities(self):
        for similarity in SIMILARITIES:
            self.describe(similarity, '--similarity', similarity)
            self.check(f'{similarity} is its formula', self.equals(similarity, similarity))

    def pooling(self):
        """Maps of single photos, where nothing is cropped, against pooled activations."""
        np = self.np
        good = True
        for pool in ('mean', 'max'):
            self.describe(pool, '--compat', 'clean', '--pool', pool)
            activations = self.array(pool, 'activations.npy')
            for image, row in list(enumerate(self.rows('world', 'index.csv')))[:3]:
                program('activations', '-m', os.path.join(ROOT, 'demo', 'mini.nw'), '-l', 'conv4_2',
                        self.path('world', 'images', row['image']), '-o', self.path('maps.npy'))
                maps = self.array('maps.npy')[0]
                wanted = maps.mean(axis=(1, 2)) if pool == 'mean' else maps.max(axis=(1, 2))
                good = good and np.abs(activations[:, image] - wanted).max() < 1e-5 * np.abs(wanted).max()
        self.check('activations are pooled maps', bool(good))

    def embeddings(self):
        length = self.np.linalg.norm(self.array('cosine', 'images.npy'), axis=1)
        good = self.np.abs(length - 1).max() < 1e-6 and self.array('cosine', 'concepts.npy').shape[0] == len(WORDS)
        self.check('embeddings have length 1', bool(good))


def main():
    np = import_numpy()
    if not (os.path.exists(TOWERS) and os.path.exists(MERGES)):
        leave('no published towers')
    if not os.path.exists(PROGRAM):
        leave('no program')
    folder = tempfile.mkdtemp()
    tests = Tests(np, folder)
    try:
        tests.prepare()
        tests.similarities()
        tests.pooling()
        tests.embeddings()
    finally:
        shutil.rmtree(folder)
    print(f'{tests.passed} passed, {tests.failed} failed, 0 skipped')
    sys.exit(1 if tests.failed else 0)


main()
