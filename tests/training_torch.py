"""ResNet-20 for CIFAR and the small vision transformer trained by PyTorch: the other half of
test_training_torch.c.

    training_torch.py losses FOLDER STEPS BATCH RATE DECAY TOTAL
    training_torch.py step   FOLDER BATCH RATE DECAY TOTAL

FOLDER holds start.nw, images (bytes [n, 3, 32, 32]), labels (bytes) and order (int64, the places of
one epoch after another). The rate falls in a straight line to 0 over TOTAL steps. `losses` prints
loss and correct images of each step. `step` makes the first step in float64 and prints how far
FOLDER/one.nw, a checkpoint after that step, is from it: the largest relative distance of a tensor's
velocity (the gradient with weight decay), of its weights, and of the running statistics (0: there are
none); the largest distance of a velocity in PyTorch's own float32; and the loss."""

import os
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


CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
HEADS, NORM_EPSILON = 3, 1e-6  # of the transformer


def transformer(w, x):
    """Pre-norm blocks with exact GELU on [n, tokens, c]; logits of the class token."""
    width, images = w['class_token'].shape[-1], len(x)

    def norm(x, base):
        return F.layer_norm(x, (width,), w[base + '.weight'], w[base + '.bias'], NORM_EPSILON)

    def dense(x, base, joint='.'):
        return F.linear(x, w[base + joint + 'weight'], w[base + joint + 'bias'])

    patches = F.conv2d(x, w['conv_proj.weight'], w['conv_proj.bias'],
                       stride=w['conv_proj.weight'].shape[-1])
    x = torch.cat([w['class_token'].expand(images, 1, width), patches.flatten(2).transpose(1, 2)], 1)
    x = x + w['encoder.pos_embedding']
    block = 0
    while f'encoder.layers.encoder_layer_{block}.ln_1.weight' in w:
        base = f'encoder.layers.encoder_layer_{block}.'
        packed = dense(norm(x, base + 'ln_1'), base + 'self_attention.in_proj', '_')
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in packed.chunk(3, 2))
        scores = q @ k.transpose(2, 3) / (width // HEADS) ** 0.5
        y = (scores.softmax(3) @ v).transpose(1, 2).flatten(2)
        x = x + dense(y, base + 'self_attention.out_proj')
        y = F.gelu(dense(norm(x, base + 'ln_2'), base + 'mlp.0'))
        x = x + dense(y, base + 'mlp.3')
        block += 1
    return dense(norm(x, 'encoder.ln')[:, 0], 'heads.head')


def forward(w, x):
    if 'conv_proj.weight' in w:
        return transformer(w, x)

    def norm(x, base):
        return F.batch_norm(x, w[base + '.running_mean'], w[base + '.running_var'],
                            w[base + '.weight'], w[base + '.bias'], True, 0.1, 1e-5)

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


class Training:
    def __init__(self, folder, batch, rate, decay, total, dtype):
        def numbers(name, kind):
            return torch.tensor(np.fromfile(os.path.join(folder, name), kind))

        self.pixels = numbers('images', np.uint8).reshape(-1, 3, 32, 32)
        self.labels = numbers('labels', np.uint8).long()
        self.order = numbers('order', np.int64).reshape(-1, len(self.labels))
        self.batch, self.rate, self.total, self.dtype = batch, rate, total, dtype
        start = read_blob(os.path.join(folder, 'start.nw'))
        self.weights = {name: tensor.to(dtype) for name, tensor in start.items()}
        self.learned = {name: tensor.requires_grad_() for name, tensor in self.weights.items()
                        if 'running' not in name}
        self.optimiser = torch.optim.SGD(self.learned.values(), rate, 0.9, weight_decay=decay)

    def step(self, number):
        epoch, place = divmod(number, len(self.labels) // self.batch)
        chosen = self.order[epoch, place * self.batch:(place + 1) * self.batch]
        mean, std = ((torch.tensor(numbers, dtype=self.dtype).reshape(3, 1, 1) for numbers in CIFAR10)
                     if 'conv_proj.weight' in self.weights else (0.5, 0.25))
        x = (self.pixels[chosen].to(self.dtype) / 255 - mean) / std
        logits = forward(self.weights, x)
        loss = F.cross_entropy(logits, self.labels[chosen])
        self.optimiser.param_groups[0]['lr'] = self.rate * (1 - number / self.total)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item(), int((logits.argmax(1) == self.labels[chosen]).sum())

    def velocities(self):
        return {name: self.optimiser.state[tensor]['momentum_buffer']
                for name, tensor in self.learned.items()}


def distance(found, wanted):
    return max((float((found[name] - wanted[name]).norm() / wanted[name].norm()) for name in wanted),
               default=0)


def compare_step(folder, settings):
    exact, plain = (Training(folder, *settings, dtype) for dtype in (torch.float64, torch.float32))
    loss, _ = exact.step(0)
    plain.step(0)
    ours = {name: tensor.double() for name, tensor in
            read_blob(os.path.join(folder, 'one.nw')).items()}
    velocities = {name[len('state.first.'):]: tensor for name, tensor in ours.items()
                  if name.startswith('state.first.')}
    statistics = {name: tensor for name, tensor in exact.weights.items() if 'running' in name}
    with torch.no_grad():
        print(distance(velocities, exact.velocities()), distance(ours, exact.learned),
              distance(ours, statistics), distance(plain.velocities(), exact.velocities()), loss)


def main():
    what, folder = sys.argv[1:3]
    steps = int(sys.argv[3]) if what == 'losses' else 0
    batch, rate, decay, total = (float(word) for word in sys.argv[-4:])
    settings = int(batch), rate, decay, total
    if what == 'step':
        return compare_step(folder, settings)
    training = Training(folder, *settings, torch.float32)
    for number in range(steps):
        print('%.9f %d' % training.step(number))


if __name__ == '__main__':
    main()
