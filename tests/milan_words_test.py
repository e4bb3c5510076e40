"""MILAN from photos to words, in the layout its authors published, beside a walk in NumPy:
exemplars, levels, masks, features (PyTorch's), attention LSTM, beam, rerank, sentence. The walk's
decoder is first held to what the published program recorded. Skipped where the data, NumPy or
PyTorch is absent. The last line is `N passed, N failed, N skipped`."""

import csv
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True

from numeric import import_numpy, leave

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.path.abspath(os.environ.get('NEMESIS_DATA') or os.path.join(ROOT, '..', 'shared', 'data'))
CHECKPOINT = os.path.join(DATA, 'reference', 'milan_thin.pth')
RECORDED = os.path.join(DATA, 'reference', 'milan_decoder_thin.npz')
PROGRAM = os.path.abspath(os.environ.get('NEMESIS') or os.path.join(ROOT, 'nemesis'))
NETWORK, LAYER, SIDE = os.path.join(ROOT, 'demo', 'mini.nw'), 'conv4_2', 64
PHOTOS, EXEMPLARS, SHOWN, UNITS = 40, 15, 224, (0, 7, 21, 44, 80, 95)
BEAM, LENGTH, TEMPERATURE = 50, 15, 0.2
NEAR = 1e-4  # as far as sums of 15 log p in float32 were seen apart, and a margin


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f'{command}: {done.stdout.decode()}')


# ---- photos, and what of them a unit's captioner is shown ----------------------------------------


def write_png(path, pixels):
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data +
                struct.pack('>I', zlib.crc32(kind + data)))
    lines = b''.join(b'\0' + row.tobytes() for row in pixels)
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' +
                   chunk(b'IHDR', struct.pack('>IIBBBBB', SIDE, SIDE, 8, 2, 0, 0, 0)) +
                   chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


def draw_photos(folder):
    """Discs and bars on plain grounds, [photos, side, side, 3] bytes; with a grain, so that no two
    cells of a map are equal but for rounding, which would decide whether they exceed a level."""
    draw = np.random.RandomState(17)
    y, x = np.mgrid[:SIDE, :SIDE]
    photos = np.empty((PHOTOS, SIDE, SIDE, 3), np.uint8)
    os.mkdir(folder)
    for number, photo in enumerate(photos):
        photo[:] = draw.randint(256, size=3)
        for _ in range(4):
            row, column, size = draw.randint(SIDE, size=3)
            disc = (y - row) ** 2 + (x - column) ** 2 < (4 + size / 4) ** 2
            bar = (abs(y - row) < 3 + size / 8) & (x > column)
            photo[disc if draw.randint(2) else bar] = draw.randint(256, size=3)
        photo[:] = np.clip(photo + draw.randint(-20, 21, size=photo.shape), 0, 255)
        write_png(os.path.join(folder, f'{number:02d}.png'), photo)
    return photos


def enlarged(map_):
    """Half-pixel centres, zeros beyond the outermost (spec of the masks), in float64."""
    size = map_.shape[0]
    at = (np.arange(SHOWN) + 0.5) * size / SHOWN - 0.5
    low = np.floor(at).astype(int)
    weights = np.zeros((SHOWN, size + 2))
    weights[np.arange(SHOWN), low + 1] = 1 - (at - low)
    weights[np.arange(SHOWN), low + 2] = at - low
    weights = weights[:, 1:-1]
    return weights @ map_.astype(float) @ weights.T


def level_of(maps):
    values = np.sort(maps.reshape(-1).astype(float))
    place = 0.99 * len(values) + 0.5
    low = int(place + 1e-9)
    return np.float32(values[low - 1] + (place - low) * (values[low] - values[low - 1]))


def exemplars_of(maps):
    """Photos and masks of a unit with maps [photos, height, width], and its level."""
    order = np.argsort(-maps.reshape(PHOTOS, -1).max(1), kind='stable')[:EXEMPLARS]
    level = level_of(maps)
    return order, [enlarged(maps[photo]) > level for photo in order], level


def features_of(blob, photos, exemplars):
    """[units, exemplars, features]: each exemplar through the encoder under its mask."""
    nearest = np.arange(SHOWN) * SIDE // SHOWN
    shown = [photos[photo][nearest][:, nearest].transpose(2, 0, 1) / np.float32(255)
             for order, _, _ in exemplars for photo in order]
    np.asarray(shown, '<f4').tofile('pixels')
    np.asarray([masks for _, masks, _ in exemplars], np.uint8).tofile('masks')
    run(sys.executable, os.path.join(HERE, 'pyramid_torch.py'), blob, 'pixels', 'masks', 'features')
    return np.fromfile('features', '<f8').reshape(len(exemplars), EXEMPLARS, -1)


# ---- from features to words ----------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Captioner:
    def __init__(self, path):
        tensors, self.about = read_blob(path)
        self.w = {name: np.frombuffer(data, '<f4').reshape(shape).astype(float)
                  for name, (shape, kind, data) in tensors.items() if kind == 1}
        self.words = tensors['words'][2].decode().split()
        self.start, self.stop = len(self.words), len(self.words) + 1

    def dense(self, base, x):
        return x @ self.w[f'{base}.weight'].T + self.w[f'{base}.bias']

    def cell(self, base, end, x, h, c):
        w = self.w
        gates = (x @ w[f'{base}.weight_ih{end}'].T + w[f'{base}.bias_ih{end}'] +
                 h @ w[f'{base}.weight_hh{end}'].T + w[f'{base}.bias_hh{end}'])
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def step(self, features, tokens, h, c):
        hidden = np.tanh(self.dense('attend.query_to_hidden', h)[:, None] +
                         self.dense('attend.key_to_hidden', features)[None])
        attention = np.exp(log_softmax(self.dense('attend.output.0', hidden)[..., 0]))
        seen = attention @ features * sigmoid(self.dense('feature_gate.0', h))
        h, c = self.cell('lstm', '', np.hstack([self.w['embedding.weight'][tokens], seen]), h, c)
        return log_softmax(self.dense('output.1', h)), h, c

    def beam(self, features):
        pooled = features.mean(0, keepdims=True)
        h, c = np.tanh(self.dense('init_h.0', pooled)), np.tanh(self.dense('init_c.0', pooled))
        rows, scores, last = np.zeros((1, 0), int), np.zeros(1), np.array([self.start])
        for _ in range(LENGTH):
            log_p, h, c = self.step(features, last, h, c)
            ended = last == self.stop
            log_p[ended] = -np.inf
            log_p[ended, self.stop] = 0
            sums = (scores[:, None] + log_p).reshape(-1)
            best = np.argsort(-sums, kind='stable')[:BEAM]
            row, last = np.divmod(best, log_p.shape[1])
            rows, scores = np.hstack([rows[row], last[:, None]]), sums[best]
            h, c = h[row], c[row]
            if (last == self.stop).all():
                break
        rows = np.pad(rows, ((0, 0), (0, LENGTH - rows.shape[1])), constant_values=self.stop)
        return rows, scores

    def language(self, rows):
        """log p of sentences; published programs count the stop behind the first, too."""
        width = self.w['lm.lstm.weight_hh_l0'].shape[1]
        states = [[np.zeros((len(rows), width))] * 2 for _ in range(2)]
        last, total = np.full(len(rows), self.start), np.zeros(len(rows))
        stops = np.cumsum(rows == self.stop, axis=1)
        for at in range(LENGTH):
            x = self.w['lm.embedding.weight'][last]
            for layer in range(2):
                states[layer] = self.cell('lm.lstm', f'_l{layer}', x, *states[layer])
                x = states[layer][0]
            last = rows[:, at]
            counts = stops[:, at] <= 1 + (last == self.stop)
            log_p = log_softmax(self.dense('lm.output.0', x))
            total += np.where(counts, log_p[np.arange(len(rows)), last], 0)
        return total

    def text(self, row):
        words = []
        for token in row:
            if token == self.stop:
                break
            words += [self.words[token]] if token < len(self.words) else []
        text = ' '.join(words)
        for mark in '.,;:':
            text = text.replace(f' {mark}', mark)
        text = text.replace(' - ', '-')
        return '. '.join(piece.strip().capitalize() for piece in text.split('.')).strip()

    def captions(self, features):
        """(text, score) of the sentences of a beam, the best first."""
        rows, scores = self.beam(features)
        scores = scores - TEMPERATURE * self.language(rows)
        order = np.argsort(-scores, kind='stable')
        return [(self.text(rows[i]), scores[i]) for i in order]


# ---- the two beside each other -------------------------------------------------------------------


def check(name, is_true, what=''):
    results.append(bool(is_true))
    end = '' if is_true else f' ({what})'
    print(f"{'ok     ' if is_true else 'FAILED '} milan_words.{name}{end}")


def agrees(captions, text, score):
    """A caption is the best, or as good as the best but for rounding."""
    return any(text == found and abs(score - value) < NEAR and captions[0][1] - value < NEAR
               for found, value in captions)


def main():
    run(sys.executable, os.path.join(ROOT, 'weights', 'convert.py'), CHECKPOINT, '-o',
        'captioner.nw')
    captioner, recorded = Captioner('captioner.nw'), np.load(RECORDED)
    wrong = [unit for unit, features in enumerate(recorded['features'].astype(float))
             if not agrees(captioner.captions(features), str(recorded['rerank_captions'][unit]),
                           float(recorded['rerank_scores'][unit]))]
    check('walks_as_the_published_program', not wrong, f'recorded units {wrong}')

    photos = draw_photos('photos')
    names = [os.path.join('photos', name) for name in sorted(os.listdir('photos'))]
    run(PROGRAM, 'activations', *names, '-m', NETWORK, '-l', LAYER, '-o', 'maps.npy', '-q')
    run(PROGRAM, 'describe', '--method', 'milan', '--captioner', 'captioner.nw', '-m', NETWORK,
        '-l', LAYER, '-d', 'photos', '-o', 'run', '-q')
    with open(os.path.join('run', 'units.csv'), newline='', encoding='utf-8') as file:
        units = list(csv.DictReader(file))
    with open(os.path.join('run', 'exemplars.csv'), newline='', encoding='utf-8') as file:
        listed = list(csv.DictReader(file))
    maps = np.load('maps.npy')
    exemplars = [exemplars_of(maps[:, unit]) for unit in UNITS]
    wrong = [unit for unit, (order, _, level) in zip(UNITS, exemplars)
             if list(order) != [int(row['image']) for row in listed if int(row['unit']) == unit] or
             abs(float(units[unit]['threshold']) - level) > 1e-6 * abs(level)]
    check('shows_the_same_exemplars', not wrong, f'units {wrong}')
    walked = [captioner.captions(features)
              for features in features_of('captioner.nw', photos, exemplars)]
    said = [units[unit] for unit in UNITS]
    wrong = [unit for unit, captions, row in zip(UNITS, walked, said)
             if not agrees(captions, row['description'], float(row['score']))]
    check('says_the_same_words', not wrong, f'units {wrong}')
    check('says_more_than_one_thing', len({row['description'] for row in said}) > 2,
          [row['description'] for row in said])


results = []
if not os.path.exists(PROGRAM):
    leave('there is no ./nemesis')
if not os.path.exists(CHECKPOINT) or not os.path.exists(RECORDED):
    leave('no milan_thin.pth')
os.environ['OMP_NUM_THREADS'] = '1'  # other suites run beside this one
np = import_numpy('torch')  # pyramid_torch.py runs under the same interpreter
from checkpoints import read_blob  # noqa: E402

scratch = tempfile.mkdtemp(prefix='nemesis-words-')
os.chdir(scratch)
try:
    main()
finally:
    os.chdir('/')
    shutil.rmtree(scratch)
print(f'{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped')
sys.exit(not all(results))
