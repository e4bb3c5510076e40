"""The rows of a run of robustness by PyTorch: the other half of test_robustness_torch.c.

    robustness_torch.py BLOB RUN EPS STEPS LABEL...

RUN measured `gradient` maps of a CIFAR ResNet-20 in mode aligned23, of as many images as there are
labels, all of them in photos.npy. Everything is computed again in float64. Prints the largest
distance of the clean maps; the share of the attacked values that are farther than a hundredth of the
radius from those of the attack by PyTorch; and, from the attacked images of the run, the largest
distance of each kind of row: maps, similarities, outputs, curves of insertion."""

import csv
import os
import re
import sys

import numpy as np
import torch
from torch.nn import functional as F

from training_torch import read_blob

torch.set_num_threads(1)
BLOCKS = [(stage, block) for stage in (1, 2, 3) for block in range(3)]


def network(weights, activation):
    def norm(x, base):
        return F.batch_norm(x, weights[base + '.running_mean'], weights[base + '.running_var'],
                            weights[base + '.weight'], weights[base + '.bias'], False, 0, 1e-5)

    def logits(x):
        x = activation(norm(F.conv2d(x, weights['conv1.weight'], padding=1), 'bn1'))
        for stage, block in BLOCKS:
            base, stride = f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, weights[base + '.conv1.weight'], stride=stride, padding=1)
            y = activation(norm(y, base + '.bn1'))
            y = norm(F.conv2d(y, weights[base + '.conv2.weight'], padding=1), base + '.bn2')
            if stride == 2:
                quarter = (y.shape[1] - x.shape[1]) // 2
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            x = activation(x + y)
        return F.linear(x.mean((2, 3)), weights['linear.weight'], weights['linear.bias'])
    return logits


def explain(net, x, labels, graph=False):
    """Maps [n, h, w], the largest value 1, and logits."""
    out = net(x)
    score = out.gather(1, labels[:, None]).sum()
    gradient, = torch.autograd.grad(score, x, create_graph=graph)
    maps = gradient.abs().sum(1)
    return maps / (maps.amax((1, 2), keepdim=True) + 1e-8), out


def attack(nets, x, labels, eps, steps):
    """Adam with projection on the softplus network, towards a frame."""
    relu, soft = nets
    target = torch.ones_like(x[:, 0])
    target[:, 5:-5, 5:-5] = 0
    outputs = relu(x).detach()
    radius, moved = eps * 5, x.detach().clone().requires_grad_()
    low, high = x.min().item(), x.max().item()
    adam = torch.optim.Adam([moved], lr=4 * radius / steps)
    for _ in range(steps):
        maps, out = explain(soft, moved, labels, True)
        loss = 0.5 * ((maps - target) ** 2).sum() / len(x) + 0.5 * ((out - outputs) ** 2).mean()
        moved.grad, = torch.autograd.grad(loss, moved)
        adam.step()
        with torch.no_grad():
            moved.copy_((x + (moved - x).clamp(-radius, radius)).clamp(low, high))
    return moved.detach(), target


def ssim(a, b):
    line = torch.exp(-(torch.arange(7, dtype=a.dtype) - 3) ** 2 / (2 * 1.5 ** 2))
    line /= line.sum()
    window = (line[:, None] * line)[None, None]

    def blur(x):
        return F.conv2d(x[:, None], window, padding=3)
    spread = (a.max() - a.min()).item()
    c1, c2 = (0.01 * spread) ** 2, (0.03 * spread) ** 2
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    return (((2 * ma * mb + c1) * (2 * cov + c2)) /
            ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean((1, 2, 3))


def alike(a, b):
    x, y = a.flatten(1), b.flatten(1)
    n = x.shape[1]
    dx, dy = x - x.mean(1, True), y - y.mean(1, True)
    sa = a / (a.abs().sum((1, 2), keepdim=True) + 1e-8)
    sb = b / (b.abs().sum((1, 2), keepdim=True) + 1e-8)
    return {'mse': ((x - y) ** 2).sum(1), 'cosine': F.cosine_similarity(x, y),
            'pcc': (dx * dy).mean(1) / (dx.square().sum(1) / (n - 1)).sqrt() /
            (dy.square().sum(1) / (n - 1)).sqrt(),
            'ssim': ssim(a, b), 'mse-sum': ((sa - sb) ** 2).sum((1, 2)), 'ssim-sum': ssim(sa, sb)}


def curve(net, x, labels, maps, deletes):
    points, flat = [], maps.flatten(1)
    for i in range(20):
        limit = flat.sort(1, descending=True).values[:, i * flat.shape[1] // 20][:, None, None]
        mask = maps < limit if deletes else maps > limit
        out = net(x * mask[:, None]).softmax(1)
        points.append(out.gather(1, labels[:, None])[:, 0])
    return points


def main(blob, run, eps, steps, labels):
    raw = open(blob, 'rb').read()
    weights = {name: value.double() for name, value in read_blob(blob).items()}

    def three(name):  # of the lines that say how images are prepared
        text = re.search(rb'\b' + name + rb'=([-0-9.,e]+)\n', raw).group(1).decode()
        return torch.tensor([float(v) for v in text.split(',')], dtype=torch.float64)[:, None, None]

    def load(name):
        return torch.tensor(np.load(os.path.join(run, name))).double()
    nets = (network(weights, F.relu),
            network(weights, lambda x: F.softplus(x, beta=20, threshold=60)))
    x = ((load('photos.npy') - three(b'mean')) / three(b'std')).requires_grad_()
    ours, moved = load('maps.npy').view(-1, 3, 32, 32), load('attacked.npy').requires_grad_()
    clean, outputs = explain(nets[0], x, labels)
    theirs, target = attack(nets, x, labels, eps, steps)
    apart = (theirs - moved).abs() > 0.01 * 5 * eps
    attacked, after = explain(nets[0], moved, labels)
    worst = {'maps': max((ours[:, 0] - clean).abs().max().item(),
                         (ours[:, 2] - attacked).abs().max().item())}
    values = np.load(os.path.join(run, 'values.npy'))
    wanted = {('aam', key): v for key, v in alike(attacked, clean).items()}
    wanted.update({('aam-target', key): v for key, v in alike(attacked, target).items()})
    wanted['aam', 'output-distance'] = (after - outputs).square().sum(1)
    wanted['accuracy', 'correct'] = (after.argmax(1) == labels).double()
    curves = {'insertion': curve(nets[0], x, labels, clean, False),
              'deletion': curve(nets[0], x, labels, clean, True),
              'adv-insertion': curve(nets[0], x, labels, attacked, False)}
    seen = 0
    for row, value in zip(csv.DictReader(open(os.path.join(run, 'robustness.csv'))), values):
        measure, setting = row['measure'], row['setting']
        if measure in curves and setting != 'mean':
            found, kind = curves[measure][round(20 * float(setting))], 'curves'
        elif (measure, row['similarity']) in wanted and setting not in ('clean', 'pgd'):
            found, kind = wanted[measure, row['similarity']], 'rows'
        else:
            continue
        seen += 1
        error = np.abs(value - found.detach().numpy()) / np.maximum(1, np.abs(found.detach().numpy()))
        worst[kind] = max(worst.get(kind, 0), error.max())
    assert seen == 14 + 60, seen
    print(worst['maps'], apart.double().mean().item(), worst['rows'], worst['curves'])


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]),
         torch.tensor([int(label) for label in sys.argv[5:]]))
