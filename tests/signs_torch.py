"""Signs of an input gradient by PyTorch: the other half of test_signs_torch.c.

    signs_torch.py FOLDER IMAGES UNIT...

FOLDER holds net.nw (ResNet-18 with its norms folded, up to layer3), pixels [images, 3, 224, 224],
weights [images, 1, 14, 14] of a unit's map, and two gradients of sum(map * weights) for every unit,
auto and direct, [units, images, 3, 224, 224]; all float32. Prints a line for PyTorch in float32,
auto and direct: the share of signs that differ from float64's, and the share of all that are not
zero where float64's gradient is."""

import os
import sys

import numpy as np
import torch
from torch.nn import functional as F

from training_torch import read_blob

FOLDER, IMAGES, UNITS = sys.argv[1], int(sys.argv[2]), [int(unit) for unit in sys.argv[3:]]
SIDES = (IMAGES, 3, 224, 224)


def numbers(name, shape):
    return np.fromfile(os.path.join(FOLDER, name), '<f4').reshape(shape)


def layer3(w, x):
    def conv(x, base, stride=1, pad=1):
        return F.conv2d(x, w[base + '.weight'], w.get(base + '.bias'), stride, pad)

    channel = (1, 3, 1, 1)
    mean = torch.tensor([0.485000014, 0.456, 0.405999988]).to(x.dtype).view(channel)
    std = torch.tensor([0.229000002, 0.224000007, 0.224999994]).to(x.dtype).view(channel)
    x = F.max_pool2d(F.relu(conv((x - mean) / std, 'conv1', 2, 3)), 3, 2, 1)
    for stage in (1, 2, 3):
        for block in range(2):
            base, stride = f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1
            y = conv(F.relu(conv(x, base + '.conv1', stride)), base + '.conv2')
            if stride == 2:
                x = conv(x, base + '.downsample.0', 2, 0)
            x = F.relu(x + y)
    return x


def gradients(kind):
    w = {name: value.to(kind) for name, value in read_blob(os.path.join(FOLDER, 'net.nw')).items()}
    x = torch.tensor(numbers('pixels', SIDES)).to(kind).requires_grad_(True)
    weights = torch.tensor(numbers('weights', (IMAGES, 1, 14, 14))).to(kind)
    maps = layer3(w, x)
    return np.stack([torch.autograd.grad((maps[:, u:u + 1] * weights).sum(), x,
                                         retain_graph=True)[0].numpy() for u in UNITS])


exact = np.sign(gradients(torch.float64))
for found in (gradients(torch.float32), numbers('auto', (len(UNITS),) + SIDES),
              numbers('direct', (len(UNITS),) + SIDES)):
    sign = np.sign(found)
    print('%.9f %.9f' % ((sign != exact).mean(), ((exact == 0) & (sign != 0)).mean()))
