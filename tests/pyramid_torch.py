"""Features of MILAN's encoder in PyTorch, in float64: the other half of test_pyramid.c.

    pyramid_torch.py BLOB PIXELS MASKS OUT

PIXELS is float32 [images, 3, 224, 224], MASKS bytes [images, 224, 224]: a mask of each image. OUT
becomes float64 [images, features]."""

import sys

import numpy as np
import torch
from torch.nn import functional as F

from training_torch import read_blob

PREFIX = 'encoder.encoder.model.'


def norm(w, x, base):
    return F.batch_norm(x, w[base + '.running_mean'], w[base + '.running_var'], w[base + '.weight'],
                        w[base + '.bias'])


def basic_block(w, x, base, stride):
    y = F.relu(norm(w, F.conv2d(x, w[base + '.conv1.weight'], stride=stride, padding=1),
                    base + '.bn1'))
    y = norm(w, F.conv2d(y, w[base + '.conv2.weight'], padding=1), base + '.bn2')
    if base + '.downsample.0.weight' in w:
        x = norm(w, F.conv2d(x, w[base + '.downsample.0.weight'], stride=stride),
                 base + '.downsample.1')
    return F.relu(x + y)


def alexnet_levels(w, x):
    """The convolutions behind their ReLU, which torchvision's module writes over them."""
    for place, stride, pad in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        base = f'features.{place}'
        x = F.relu(F.conv2d(x, w[base + '.weight'], w[base + '.bias'], stride, pad))
        yield x
        x = F.max_pool2d(x, 3, 2) if place < 6 else x


def levels(w, x):
    if 'features.0.weight' in w:
        yield from alexnet_levels(w, x)
        return
    x = F.conv2d(x, w['conv1.weight'], stride=2, padding=3)
    yield x
    x = F.max_pool2d(F.relu(norm(w, x, 'bn1')), 3, 2, 1)
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            x = basic_block(w, x, f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1)
        yield x


def pooled(maps, masks):
    mask = F.interpolate(masks[:, None], maps.shape[2:], mode='bilinear', align_corners=False)
    some = ~torch.isclose(mask, torch.zeros_like(mask), atol=1e-8).all(-1).all(-1).all(-1)
    mask[some] /= mask[some].sum((-1, -2), keepdim=True)
    mask[~some] = 0
    return (maps * mask).sum((-1, -2))


def main(path, pixels, masks, out):
    w = {name[len(PREFIX):]: tensor.double() for name, tensor in read_blob(path).items()
         if name.startswith(PREFIX)}
    x = torch.tensor(np.fromfile(pixels, '<f4').reshape(-1, 3, 224, 224)).double()
    masks = torch.tensor(np.fromfile(masks, 'u1').reshape(-1, 224, 224)).double()
    mean, std = (torch.tensor(values, dtype=torch.float64)[:, None, None]
                 for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        rows = torch.cat([pooled(maps, masks) for maps in levels(w, (x - mean) / std)], 1)
    rows.numpy().astype('<f8').tofile(out)


main(*sys.argv[1:])
