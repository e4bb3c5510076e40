"""ResNet-20 for CIFAR trained by PyTorch from a blob, on the images and in the order a file lists.

usage: training_torch.py START.nw IMAGES LABELS ORDER STEPS BATCH RATE DECAY TOTAL
IMAGES: bytes [n, 3, 32, 32]; LABELS: bytes; ORDER: int64 places. Prints one loss a line. The
rate falls in a straight line to 0 over TOTAL steps."""

import struct
import sys

import numpy as np
import torch
from torch.nn import functional as F

torch.set_num_threads(1)


def read_blob(path):
    data = open(path, 'rb').read()
    count, = struct.unpack_from('<I', data, 40)
    tensors = {}
    for i in range(count):
        name, kind, rank, *rest = struct.unpack_from('<128sII4QQQI4x', data, 64 + 192 * i)
        dims, offset, size = rest[:rank], rest[4], rest[5]
        if kind == 1:
            values = np.frombuffer(data, '<f4', size // 4, offset).reshape(dims)
            tensors[name.rstrip(b'\0').decode()] = torch.tensor(values.copy())
    return tensors


def forward(w, x):
    def norm(x, base):
        return F.batch_norm(x, None, None, w[base + '.weight'], w[base + '.bias'], True, 0.1, 1e-5)

    x = F.relu(norm(F.conv2d(x, w['conv1.weight'], padding=1), 'bn1'))
    for stage in (1, 2, 3):
        for block in range(3):
            base, stride = f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, w[base + '.conv1.weight'], stride=stride, padding=1)
            y = F.relu(norm(y, base + '.bn1'))
            y = norm(F.conv2d(y, w[base + '.conv2.weight'], padding=1), base + '.bn2')
            if stride == 2:
                quarter = (y.shape[1] - x.shape[1]) // 2
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            x = F.relu(x + y)
    return F.linear(x.mean((2, 3)), w['linear.weight'], w['linear.bias'])


def main():
    start, images, labels, order = sys.argv[1:5]
    steps, batch, rate, decay, total = (float(word) for word in sys.argv[5:10])
    pixels = torch.tensor(np.fromfile(images, np.uint8).reshape(-1, 3, 32, 32).copy())
    target = torch.tensor(np.fromfile(labels, np.uint8).astype(np.int64))
    places = torch.tensor(np.fromfile(order, np.int64))
    weights = read_blob(start)
    learned = [weights[name].requires_grad_() for name in sorted(weights) if 'running' not in name]
    optimiser = torch.optim.SGD(learned, lr=rate, momentum=0.9, weight_decay=decay)
    for step in range(int(steps)):
        for group in optimiser.param_groups:
            group['lr'] = rate * (1 - step / total)
        chosen = places[step * int(batch):(step + 1) * int(batch)]
        x = (pixels[chosen].float() / 255 - 0.5) / 0.25
        loss = F.cross_entropy(forward(weights, x), target[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f'{loss.item():.9f}')


main()
