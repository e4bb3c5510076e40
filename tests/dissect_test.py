"""Network Dissection against an independent computation in PyTorch, on real weights and photos.

Weights come from the published shards, photos and label maps through Pillow, maps from
torch.nn.functional, thresholds from a full sort, masks and counts from dense arrays: nothing is shared
with the program but the files. Skipped where PyTorch or the data is absent. The last line is
`N passed, N failed, N skipped`."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get('NEMESIS_DATA') or os.path.join(HERE, '..', '..', 'shared', 'data')
WEIGHTS = os.path.join(DATA, 'weights', 'vgg16_imagenet_conv1_1-conv3_3')
PROBE = os.path.join(DATA, 'broden_mini')
PROGRAM = os.path.abspath(os.environ.get('NEMESIS') or os.path.join(HERE, '..', 'nemesis'))
IMAGES, SIDE = 44, 112
THRESHOLD_BOUND, IOU_BOUND = 1e-5, 1e-4


def leave(reason):
    print(f'  skipped: {reason}\n0 passed, 0 failed, 1 skipped')
    sys.exit(0)


def import_torch():
    """Debian's packages belong to /usr/bin/python3, which need not be the python3 of the path."""
    try:
        import numpy, torch, PIL.Image  # noqa: F401, E401
        return numpy, torch, PIL.Image
    except ImportError:
        system = '/usr/bin/python3'
        if os.path.realpath(sys.executable) != os.path.realpath(system) and os.path.exists(system):
            os.execv(system, [system, os.path.abspath(__file__)])
        leave('PyTorch, NumPy or Pillow is not installed')


def read_csv(name):
    with open(os.path.join(PROBE, name), newline='') as file:
        return list(csv.DictReader(file))


def layer_maps(np, torch, photos):
    """conv3_3 before its ReLU, [images, 256, 56, 56]: Keras shards, BGR, mean subtracted."""
    channels = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    rgb = torch.from_numpy(np.stack(photos)).float().permute(0, 3, 1, 2)
    x = rgb[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    for layer, (c, k) in enumerate(channels):
        values = np.fromfile(os.path.join(WEIGHTS, f'group{layer + 1}-shard1of1'), '<f4')
        kernel = values[:9 * c * k].reshape(3, 3, c, k).transpose(3, 2, 0, 1).copy()
        x = torch.nn.functional.conv2d(x, torch.from_numpy(kernel),
                                       torch.from_numpy(values[9 * c * k:].copy()), padding=1)
        if layer < 6:
            x = torch.relu(x)
        if layer in (1, 3):
            x = torch.nn.functional.max_pool2d(x, 2)
    return x


def label_planes(np, Image, row, categories):
    """All planes of an image, [planes, SIDE, SIDE]; a number in a cell fills its plane."""
    planes = []
    for category in categories:
        for item in filter(None, row[category].split(';')):
            if item.isdigit():
                planes.append(np.full((SIDE, SIDE), int(item)))
            else:
                rgb = np.asarray(Image.open(os.path.join(PROBE, 'images', item))).astype(int)
                planes.append(rgb[..., 0] + 256 * rgb[..., 1])
    return np.stack(planes)


def independent_dissection(np, torch, Image):
    categories = [row['name'] for row in read_csv('category.csv')]
    labels = {int(row['number']): row['name'] for row in read_csv('label.csv')}
    coverage = np.zeros((len(categories), max(labels) + 1))
    for at, category in enumerate(categories):
        for row in read_csv(f'c_{category}.csv'):
            coverage[at, int(row['number'])] = float(row['coverage'])
    primary = len(categories) - 1 - coverage[::-1].argmax(0)      # ties: the larger index
    rows = read_csv('index.csv')[:IMAGES]
    photos = [np.asarray(Image.open(os.path.join(PROBE, 'images', row['image'])).convert('RGB'))
              for row in rows]
    with torch.no_grad():
        maps = torch.cat([layer_maps(np, torch, photos[i:i + 4]) for i in range(0, IMAGES, 4)])
        up = torch.nn.functional.interpolate(maps, size=(SIDE, SIDE), mode='bilinear',
                                             align_corners=False).numpy()
    values = np.sort(maps.numpy().transpose(1, 0, 2, 3).reshape(256, -1).astype(np.float64), 1)
    count = values.shape[1]
    rank = 994 / 999 * count + 0.5                                # 1-based, mid-point definition
    k = int(rank)
    threshold = values[:, k - 1] + (rank - k) * (values[:, k] - values[:, k - 1])
    truth, both = np.zeros(coverage.shape[1]), np.zeros((256, coverage.shape[1]))
    present = np.zeros((256, len(categories)))
    for n, row in enumerate(rows):
        planes = label_planes(np, Image, row, categories)
        for plane in planes:
            truth += np.bincount(plane.ravel(), minlength=len(truth))
        for u in range(256):
            mask = up[n, u] > np.float32(threshold[u])
            inside = planes[:, mask]
            found = np.bincount(inside.ravel(), minlength=len(truth))
            both[u] += found
            found[0] = 0
            for category in set(primary[np.nonzero(found)[0]]):
                present[u, category] += mask.sum()
    truth[0] = both[:, 0] = 0
    iou = both / (present[:, primary] + truth - both + 1e-10)
    return labels, threshold, iou


def main():
    np, torch, Image = import_torch()
    if not (os.path.isdir(WEIGHTS) and os.path.isdir(PROBE) and os.path.exists(PROGRAM)):
        leave('no published weights, probing set or program')
    folder = tempfile.mkdtemp(prefix='nemesis-dissect-')
    try:
        blob, run = os.path.join(folder, 'vgg16.nw'), os.path.join(folder, 'run')
        convert = os.path.join(HERE, '..', 'weights', 'convert.py')
        subprocess.run([sys.executable, convert, WEIGHTS, '-o', blob], check=True, capture_output=True)
        subprocess.run([PROGRAM, 'dissect', '-m', blob, '-l', 'conv3_3', '-d', PROBE, '-o', run,
                        '--limit', str(IMAGES), '-q'], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(run, 'tally.csv'), newline='') as file:
            tally = {int(row['unit0']): row for row in csv.DictReader(file)}
        with open(os.path.join(run, 'run.json')) as file:
            assert json.load(file)['counts']['images'] == IMAGES
    finally:
        shutil.rmtree(folder)
    labels, threshold, iou = independent_dissection(np, torch, Image)
    worst = max(abs(float(tally[u]['threshold']) / threshold[u] - 1) for u in range(256))
    other = [u for u in range(256) if tally[u]['label'] != labels[int(iou[u].argmax())]]
    apart = max(abs(float(tally[u]['score']) - iou[u].max()) for u in range(256))
    print(f'  {IMAGES} images, 256 units: thresholds within {worst:.1e}, IoU within {apart:.1e}, '
          f'{len(other)} labels differ')
    checks = {'thresholds': worst <= THRESHOLD_BOUND, 'labels': not other, 'iou': apart <= IOU_BOUND}
    for name, passed in checks.items():
        print(f'{"ok" if passed else "FAILED":8}dissect_against_pytorch.{name}')
    print(f'{sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed, 0 skipped')
    sys.exit(not all(checks.values()))


if __name__ == '__main__':
    main()
