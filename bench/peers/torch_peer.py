"""PyTorch in turns with the bench (see start.sh): torch_peer.py THREADS FOLDER KIND ...

The gradient is that of the output's sum with respect to the pixels, without gradients of weights. A step
of training is forward, gradient of the cross-entropy and SGD with momentum, on a batch that is ready. A
step of an attack on a map is the loss of `manipulate` (docs/methods/map-attacks.md), its gradient in the
image through the gradient that is the map, and Adam."""

import os
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    print('absent PyTorch is not installed (python3-torch, libopenblas0-pthread): left out')
    sys.exit()

import networks


def read_reals(path, shape):
    with open(path, 'rb') as file:
        return torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(shape)


class Runner:
    """Runs what networks.py describes."""

    def __init__(self, tensors, activation=F.relu_):
        self.relu, self.modules = activation, {}
        self.w = {name: torch.frombuffer(bytearray(values), dtype=torch.float32).reshape(dims)
                  for name, (dims, values) in tensors.items()}

    def affine(self, x, scale, shift):
        return x * torch.tensor(scale).reshape(1, 3, 1, 1) + torch.tensor(shift).reshape(1, 3, 1, 1)

    def conv(self, x, base, stride, pad):
        return F.conv2d(x, self.w[base + '.weight'], self.w[base + '.bias'], stride, pad)

    def max_pool(self, x, side, stride, pad):
        return F.max_pool2d(x, side, stride, pad)

    def add(self, x, y):
        return x + y

    def mean(self, x):
        return x.mean((2, 3))

    def flatten(self, x):
        return x.flatten(1)

    def dense(self, x, base):
        return F.linear(x, self.w[base + '.weight'], self.w[base + '.bias'])

    def tokens(self, x, patches, first, places):
        side = self.w[patches + '.weight'].shape[2]
        x = self.conv(x, patches, side, 0).flatten(2).transpose(1, 2)
        return torch.cat([self.w[first].expand(len(x), -1, -1), x], 1) + self.w[places]

    def norm(self, x, base):
        return F.layer_norm(x, x.shape[2:], self.w[base + '.weight'], self.w[base + '.bias'], 1e-6)

    def attention(self, x, base, heads):
        """As torchvision does it: its module takes a way of its own where nobody wants a gradient."""
        if base not in self.modules:
            module = nn.MultiheadAttention(x.shape[2], heads, batch_first=True).eval().requires_grad_(False)
            module.load_state_dict({name[len(base) + 1:]: value for name, value in self.w.items()
                                    if name.startswith(base + '.')})
            self.modules[base] = module
        return self.modules[base](x, x, x, need_weights=False)[0]

    def gelu(self, x):
        return F.gelu(x)

    def pick(self, x):
        return x[:, 0]


def map_attack(folder, arch):
    tensors, about = networks.read_blob(f'{folder}/weights.nw')
    runner = Runner(tensors, lambda x: F.softplus(x, 30))
    clean, image = (read_reals(f'{folder}/{name}.f32', (1, 3, 224, 224)) for name in ('pixels', 'moved'))
    mean, std = (torch.tensor([float(word) for word in about[key].split(',')]).reshape(1, 3, 1, 1)
                 for key in ('mean', 'std'))
    wanted = torch.full((1, 224, 224), 1 / (224 * 224))
    with torch.no_grad():
        outputs = networks.layers(runner, arch, 'logits', clean).softmax(1)
    adam = torch.optim.Adam([image.requires_grad_(True)], lr=1e-3)

    def step():
        logits = networks.layers(runner, arch, 'logits', image)
        chosen = torch.zeros_like(logits)
        chosen[0, 0] = 1
        slope, = torch.autograd.grad(logits, image, logits * chosen, create_graph=True)
        size = slope.abs().sum(1)
        loss = 1e11 * F.mse_loss(size / size.sum(), wanted) + 1e6 * F.mse_loss(logits.softmax(1), outputs)
        image.grad, = torch.autograd.grad(loss, image)
        adam.step()
        with torch.no_grad():
            image.copy_(image.maximum(-mean / std).minimum((1 - mean) / std))
        return torch.cat([loss.detach().reshape(1), image.grad.flatten()])

    return step


def model(folder, arch, upto, which, batch):
    if which == 'map-attack':
        return map_attack(folder, arch)
    tensors, about = networks.read_blob(f'{folder}/weights.nw')
    runner, pixels = Runner(tensors), read_reals(f'{folder}/pixels.f32', (int(batch), 3, 224, 224))

    def forward():
        with torch.inference_mode():
            return networks.build(runner, arch, upto, pixels, about)

    def gradient():
        leaf = pixels.detach().requires_grad_(True)
        networks.build(runner, arch, upto, leaf, about).sum().backward()
        return leaf.grad

    return forward if which == 'forward' else gradient


def product(folder, m, n, k):
    m, n, k = int(m), int(n), int(k)
    a, b, c = read_reals(f'{folder}/a.f32', (m, k)), read_reals(f'{folder}/b.f32', (k, n)), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


class Block(nn.Module):
    """Of a ResNet for CIFAR; a shortcut that changes its shape is option A's, or a convolution."""

    def __init__(self, inputs, outputs, stride, has_option_a, activation):
        super().__init__()
        self.activation = activation
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.missing = outputs - inputs
        self.shortcut = None
        if self.missing and not has_option_a:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.activation(self.bn1(self.conv1(x)))))
        if self.shortcut:
            x = self.shortcut(x)
        elif self.missing:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.missing // 2, self.missing // 2))
        return self.activation(y + x)


def resnet(widths, blocks, has_option_a, activation):
    inputs = widths[0]
    layers = [nn.Conv2d(3, inputs, 3, 1, 1, bias=False), nn.BatchNorm2d(inputs), activation]
    for width in widths:
        for i in range(blocks):
            layers.append(Block(inputs, width, 2 if i == 0 and width > widths[0] else 1,
                                has_option_a, activation))
            inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def lenet(activation):
    layers, inputs = [], 3
    for width in (32, 64):
        for _ in range(2):
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), activation]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 8 * 8, 256), activation, nn.Linear(256, 10))


TRAINED = {'resnet20': lambda activation: resnet((16, 32, 64), 3, True, activation), 'lenet': lenet,
           'resnet18_cifar': lambda activation: resnet((64, 128, 256, 512), 2, False, activation)}


def training(folder, arch, upto, which, batch):
    torch.manual_seed(0)
    is_aligned = which == 'l2-cosd'
    net = TRAINED[arch](nn.Softplus(3) if is_aligned else nn.ReLU()).train()
    rule = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    images, labels = torch.rand(int(batch), 3, 32, 32), torch.randint(10, (int(batch),))

    def step():
        rule.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        rule.step()
        return loss.detach()

    def aligned_step():
        rule.zero_grad(set_to_none=True)
        clean = images.detach().requires_grad_(True)
        logits = net(clean)
        source, = torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), clean, retain_graph=True)
        moved = (images + (torch.rand_like(images) * 2 - 1) * 4 / 255).requires_grad_(True)
        map_, = torch.autograd.grad(net(moved).gather(1, labels[:, None]).sum(), moved, create_graph=True)
        cosine = F.cosine_similarity(source.flatten(1), map_.flatten(1))
        l2 = (source - map_).square().sum() / len(images)
        loss = F.cross_entropy(logits, labels) + 0.01 * l2 + (1 - cosine.mean()) / 2
        loss.backward()
        rule.step()
        return loss.detach()

    return aligned_step if is_aligned else step


def status_bytes(key):
    """A size out of /proc/self/status."""
    with open('/proc/self/status', encoding='utf-8') as file:
        return 1024 * sum(int(line.split()[1]) for line in file if line.startswith(key + ':'))


def forget_peak():
    """From here on VmHWM is the largest resident size since; returns that of now, or None."""
    try:
        with open('/proc/self/clear_refs', 'w', encoding='utf-8') as file:
            file.write('5')
    except OSError:
        return None
    return status_bytes('VmRSS')


def main():
    threads, folder, kind, *rest = sys.argv[1:]
    torch.set_num_threads(int(threads))
    work = {'model': model, 'train': training, 'product': product}[kind](folder, *rest)
    has_fast = any('openblas-pthread' in line for line in open('/proc/self/maps', encoding='utf-8'))
    print(f'ready PyTorch {torch.__version__}' + ('' if has_fast else ' without libopenblas0-pthread'),
          flush=True)
    is_first, resident = True, forget_peak()
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            out = work()
        ms = (time.perf_counter() - start) * 1e3 / int(line)
        if is_first:
            with open(os.path.join(folder, 'output.f32'), 'wb') as file:
                file.write(out.contiguous().reshape(-1).numpy().tobytes())
        is_first = False
        print(ms, 0 if resident is None else status_bytes('VmHWM') - resident, flush=True)


main()
