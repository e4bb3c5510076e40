"""Explanation maps beside PyTorch: distance of both from float64, live.

    /usr/bin/python3 tests/parity/maps.py PROGRAM FOLDER [NETWORK...]

Networks: squeezenet1.1 and resnet20 with their published weights (blobs FOLDER/NAME.nw, as
weights/convert.py makes them, and photos FOLDER/NAME.npy, prepared, [n, 3, h, w]); resnet50,
densenet121 and vgg16 with the drawn weights of parity.py. Of each image the attributions of
`gradient`, `gradient-x-input` and `integrated` (30 points, of the probability), with ReLU and with
softplus (beta 10): relative L2 distance from PyTorch in float64, of PyTorch in float32 and of the
program under each --conv. A decision of a ReLU or a pool unlike float64's moves a map by chance, in
either program; so a row passes if the default, direct convolutions, is at most 1.5 times as far
away as PyTorch: the median over inputs where neither has such a decision, or over all where each
input has one. Needs PyTorch, torchvision and NumPy."""

import copy
import os
import statistics
import subprocess
import sys

import numpy as np
import torch
from torch.nn import functional

import parity

METHODS = ('gradient', 'gradient-x-input', 'integrated')
CONVS = ('auto', 'direct', 'winograd')
STEPS = 30
DRAWN_INPUTS, PATH_INPUTS = 8, 1         # of networks with drawn weights
FLIP = 1e-5                              # a map further away has a decision unlike float64's
WORST = 1.5                              # times PyTorch's distance

HERE = os.path.dirname(os.path.abspath(__file__))


def read_blob(path):
    """Tensors of a weight blob by name (DESIGN.md, "Weight blob")."""
    with open(path, 'rb') as file:
        data = file.read()
    out = {}
    for i in range(int.from_bytes(data[40:44], 'little')):
        entry = data[64 + 192 * i:256 + 192 * i]
        name = entry[:128].split(b'\0')[0].decode()
        kind, rank = (int.from_bytes(entry[at:at + 4], 'little') for at in (128, 132))
        shape = [int.from_bytes(entry[136 + 8 * d:144 + 8 * d], 'little') for d in range(rank)]
        start, size = (int.from_bytes(entry[at:at + 8], 'little') for at in (168, 176))
        if kind == 1:
            out[name] = torch.from_numpy(np.frombuffer(data[start:start + size], '<f4').reshape(shape).copy())
    return out


def published(name, folder):
    net = parity.networks(True)[name][0]().eval()
    state = net.state_dict()
    state.update(read_blob(os.path.join(folder, name + '.nw')))
    net.load_state_dict(state)
    return net, np.load(os.path.join(folder, name + '.npy'))


def drawn(name, folder):
    make, side = parity.networks(True)[name]
    net = make().eval()
    parity.fill(net, name)
    checkpoint = os.path.join(folder, name + '.pth')
    torch.save(net.state_dict(), checkpoint)
    subprocess.run([sys.executable, os.path.join(HERE, '../../weights/convert.py'), checkpoint, '--arch', name,
                    '-o', os.path.join(folder, name + '.nw')], check=True, capture_output=True)
    os.remove(checkpoint)
    inputs = [parity.draw(f'input{i or ""}', (1, 3, side, side), 0, 1) for i in range(DRAWN_INPUTS)]
    return net, torch.cat(inputs).numpy()


def gradient(net, x, label, of_probability=False):
    x = x.clone().requires_grad_(True)
    logits = net(x)
    score = functional.softmax(logits, 1)[0, label] if of_probability else logits[0, label]
    return torch.autograd.grad(score, x)[0]


def attribution(net, x, method, label):
    if method == 'gradient':
        return gradient(net, x, label)
    if method == 'gradient-x-input':
        return x * gradient(net, x, label)
    return x * sum(gradient(net, x * (j / STEPS), label, True) for j in range(1, STEPS + 1)) / STEPS


def ours(program, folder, name, image, methods, label, conv, is_smooth):
    np.save(os.path.join(folder, 'image.npy'), image)
    out = os.path.join(folder, 'maps')
    words = [program, 'attribute', '-m', os.path.join(folder, name + '.nw'), os.path.join(folder, 'image.npy'),
             '--method', ','.join(methods), '--compat', 'manipulated19', '--class', str(label), '--raw',
             '--conv', conv, '-o', out, '--overwrite', '-q', '--map-scale', 'none']
    # `aligned23` begins with 1 and is closed at zero, as PyTorch's gradient is.
    plain = [m for m in methods if m != 'integrated']
    maps = {}
    for chosen, mode in ((plain, 'aligned23'), ([m for m in methods if m == 'integrated'], 'manipulated19')):
        if chosen:
            words[words.index('--method') + 1], words[words.index('--compat') + 1] = ','.join(chosen), mode
            done = subprocess.run(words + (['--beta', f'{parity.BETA:g}'] if is_smooth else []),
                                  capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            for method in chosen:
                maps[method] = np.load(os.path.join(out, f'image-{method}-raw.npy')).astype(float)
    return maps


def distance(found, wanted):
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def compare(program, folder, name, net, images, is_real):
    functional.relu = parity.PLAIN_RELU
    double = copy.deepcopy(net).double()
    rows = {}
    for is_smooth in (False, True):
        if is_smooth:
            parity.use_softplus(net)
            parity.use_softplus(double)
        for i, image in enumerate(images):
            x = torch.from_numpy(image[None])
            methods = METHODS if is_real or i < PATH_INPUTS else METHODS[:2]
            with torch.no_grad():
                label = int(double(x.double())[0].argmax())
            found = {conv: ours(program, folder, name, image[None], methods, label, conv, is_smooth)
                     for conv in CONVS}
            for method in methods:
                wanted = attribution(double, x.double(), method, label)[0].detach().numpy()
                single = attribution(net, x, method, label)[0].detach().double().numpy()
                errors = [distance(single, wanted)] + [distance(found[conv][method], wanted) for conv in CONVS]
                rows.setdefault((is_smooth, method), []).append(errors)
    functional.relu = parity.PLAIN_RELU
    failed = 0
    for (is_smooth, method), errors in rows.items():
        steady = [e for e in errors if max(e[0], e[1 + CONVS.index('direct')]) <= FLIP] or errors
        ratio = statistics.median(e[1 + CONVS.index('direct')] / e[0] for e in steady)
        failed += ratio > WORST
        columns = list(zip(*errors))
        text = [f'{statistics.median(c):.1e} {sum(e > FLIP for e in c)}' for c in columns]
        ratios = [f'{statistics.median(o / t for o, t in zip(c, columns[0])):.2f}' for c in columns[1:]]
        print(f'{"FAILED" if ratio > WORST else "ok":7s} {ratio:.2f} {name:14s} {"softplus" if is_smooth else "ReLU":8s} {method:16s} {len(errors)} inputs  PyTorch {text[0]}  '
              + '  '.join(f'{conv} {t} ({r})' for conv, t, r in zip(CONVS, text[1:], ratios)), flush=True)
    return len(rows) - failed, failed


def main():
    if len(sys.argv) < 3:
        sys.exit('usage: maps.py PROGRAM FOLDER [NETWORK...]')
    program, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    print('median relative L2 distance from float64 and inputs further than 1e-5; ratio to PyTorch in brackets')
    passed = failed = 0
    for name in sys.argv[3:] or ('squeezenet1.1', 'resnet20', 'resnet50', 'densenet121', 'vgg16'):
        is_real = name in ('squeezenet1.1', 'resnet20')
        net, images = published(name, folder) if is_real else drawn(name, folder)
        good, bad = compare(program, folder, name, net, images, is_real)
        passed, failed = passed + good, failed + bad
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
