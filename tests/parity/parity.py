"""References from PyTorch for networks whose weights both sides draw from one generator.

    /usr/bin/python3 tests/parity/parity.py golden              rewrites tests/parity/golden/*.txt
    /usr/bin/python3 tests/parity/parity.py live FOLDER [ARCH...]  full-size networks, for
    NEMESIS_PARITY=FOLDER build/release/tests parity

A reference file lists tensors (name, centre, spread, shape) and for every input the logits, sampled
elements of an input gradient and of a Hessian-vector product in float64, and PyTorch's own float32
error on the same numbers; with softplus also the pooling decisions that are near ties (pool,
channel, row, column, row and column of the maximum). Needs PyTorch, torchvision and NumPy; tests/test_parity.c needs none of them."""

import copy
import os
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

SEED = 1
BETA = 10.0
LIVE_SAMPLES = 16384                     # of a gradient, the same places for both sides
LIVE_INPUTS = {('relu', False): 3, ('softplus', False): 2,    # (activation, is small): inputs
               ('relu', True): 8, ('softplus', True): 3}
SMOOTH = {'vit', 'clip_vit'}             # softplus changes nothing, so its inputs are enough
NEAR = 1e-3                              # a tie: closer than this part of the maximum

# ---- the generator of base/base.h --------------------------------------------------------------

MASK = 0xffffffff


def philox(key, high, low):
    """Four arrays of words for an array of low counters (Philox 4x32-10)."""
    c0, c1 = low & MASK, low >> np.uint64(32)
    c2 = np.full_like(low, high & MASK)
    c3 = np.full_like(low, high >> 32)
    k0, k1 = key & MASK, key >> 32
    thirty_two, mask = np.uint64(32), np.uint64(MASK)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = ((p1 >> thirty_two) ^ c1 ^ np.uint64(k0), p1 & mask,
                          (p0 >> thirty_two) ^ c3 ^ np.uint64(k1), p0 & mask)
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def random_key(seed, purpose):
    value = 0xcbf29ce484222325
    for byte in purpose.encode():
        value = ((value ^ byte) * 0x100000001b3) & (1 << 64) - 1
    words = philox(seed, value, np.zeros(1, np.uint64))
    return int(words[1][0]) << 32 | int(words[0][0])


def draw(name, shape, centre, spread):
    count = int(np.prod(shape))
    key, out = random_key(SEED, name), np.empty(-(-count // 4) * 4, np.float32)
    block = 1 << 20
    for start in range(0, len(out) // 4, block):
        low = np.arange(start, min(start + block, len(out) // 4), dtype=np.uint64)
        words = np.stack(philox(key, 0, low), axis=1).reshape(-1)
        unit = (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0 ** -24)
        out[4 * start:4 * start + len(words)] = (
            np.float32(centre) + np.float32(spread) * (np.float32(2) * unit - np.float32(1)))
    return torch.from_numpy(out[:count].reshape(shape))


# ---- networks torchvision does not have ----------------------------------------------------------

class Block(nn.Module):
    """A basic block of the CIFAR networks of He et al., shortcut of option A."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            half = self.missing // 2
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return functional.relu(y + x)


class SmallResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, inputs = (depth - 2) // 6, 16
        for stage, width in enumerate((16, 32, 64), 1):
            layers = []
            for i in range(blocks):
                layers.append(Block(inputs, width, 2 if stage > 1 and i == 0 else 1))
                inputs = width
            setattr(self, f'layer{stage}', nn.Sequential(*layers))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class PreActivation(nn.Module):
    """A bottleneck of ResNet v2."""

    def __init__(self, inputs, width, stride, is_first):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, 4 * width, 1, bias=False)
        self.downsample = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False) if is_first else None

    def forward(self, x):
        a = functional.relu(self.bn1(x))
        y = self.conv2(functional.relu(self.bn2(self.conv1(a))))
        y = self.conv3(functional.relu(self.bn3(y)))
        return y + (self.downsample(a) if self.downsample else x)


class ResNetV2(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.bn0, self.conv1 = nn.BatchNorm2d(3), nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage, blocks in enumerate((3, 4, 6, 3), 1):
            layers = []
            for i in range(blocks):
                inner = width << (stage - 1)
                stride = 2 if stage > 1 and i == 0 else 1
                layers.append(PreActivation(inputs, inner, stride, i == 0))
                inputs = 4 * inner
            setattr(self, f'layer{stage}', nn.Sequential(*layers))
        self.bn2, self.fc = nn.BatchNorm2d(inputs), nn.Linear(inputs, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(self.bn0(x))))
        x = functional.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(functional.relu(self.bn2(x)).mean((2, 3)))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv11, self.conv12 = nn.Conv2d(3, 32, 3, 1, 1), nn.Conv2d(32, 32, 3, 1, 1)
        self.conv21, self.conv22 = nn.Conv2d(32, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1)
        self.fc1, self.fc2 = nn.Linear(4096, 256), nn.Linear(256, 10)

    def forward(self, x):
        relu = functional.relu
        x = functional.max_pool2d(relu(self.conv12(relu(self.conv11(x)))), 2)
        x = functional.max_pool2d(relu(self.conv22(relu(self.conv21(x)))), 2)
        return self.fc2(relu(self.fc1(x.flatten(1))))


def vgg(depth, batch_norm, thin, side):
    """torchvision's VGG; `thin` divides all widths, the head fits `side` x `side` pictures."""
    letter = {11: 'A', 13: 'B', 16: 'D', 19: 'E'}[depth]
    plan = [width if width == 'M' else width // thin
            for width in torchvision.models.vgg.cfgs[letter]]
    features = torchvision.models.vgg.make_layers(plan, batch_norm=batch_norm)
    classes = 1000 if thin == 1 else 10
    net = torchvision.models.VGG(features, num_classes=classes, init_weights=False)
    if thin > 1:
        inner, flat = 4096 // 64, plan[-2] * (side // 32) ** 2
        net.avgpool = nn.Identity()
        net.classifier[0], net.classifier[3] = nn.Linear(flat, inner), nn.Linear(inner, inner)
        net.classifier[6] = nn.Linear(inner, 10)
    return net


def vgg16_bn_cifar():
    """VGG16-BN for CIFAR-10: of 32x32 pixels one is left for the dense layers."""
    net = vgg(16, True, 1, 224)
    net.avgpool = nn.Identity()
    net.classifier[0], net.classifier[6] = nn.Linear(512, 4096), nn.Linear(4096, 10)
    return net


def alexnet(thin):
    net = torchvision.models.alexnet(num_classes=1000 if thin == 1 else 10)
    if thin > 1:
        widths, inputs = [64 // thin, 192 // thin, 384 // thin, 256 // thin, 256 // thin], 3
        for place, width in zip((0, 3, 6, 8, 10), widths):
            old = net.features[place]
            net.features[place] = nn.Conv2d(inputs, width, old.kernel_size, old.stride, old.padding)
            inputs = width
        net.classifier[1], net.classifier[4] = nn.Linear(36 * inputs, 64), nn.Linear(64, 64)
        net.classifier[6] = nn.Linear(64, 10)
    return net


def resnet18_cifar():
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return net


class GroupedAlexNet(nn.Module):
    """AlexNet as Caffe's reference network has it, in the layers of Network Dissection's authors."""

    def __init__(self, widths, inner, classes):
        super().__init__()
        inputs = 3
        for number, (width, groups) in enumerate(zip(widths, (1, 2, 1, 2, 2)), 1):
            side, stride, pad = {1: (11, 4, 0), 2: (5, 1, 2)}.get(number, (3, 1, 1))
            setattr(self, f'conv{number}',
                    nn.Conv2d(inputs, width, side, stride, pad, groups=groups))
            inputs = width
        self.fc6, self.fc7 = nn.Linear(36 * inputs, inner), nn.Linear(inner, inner)
        self.fc8 = nn.Linear(inner, classes)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75)

    def forward(self, x):
        for number in range(1, 6):
            x = functional.relu(getattr(self, f'conv{number}')(x))
            if number in (1, 2, 5):
                x = functional.max_pool2d(x, 3, 2)
            if number < 3:
                x = self.norm(x)
        x = functional.relu(self.fc7(functional.relu(self.fc6(x.flatten(1)))))
        return self.fc8(x)


class Encoder(nn.Module):
    """Patches and a class token in torch's own encoder, norms behind each part."""

    def __init__(self, side, patch, width, hidden, depth, heads):
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, (side // patch) ** 2 + 1, width))
        self.patch_embed = nn.Sequential()
        self.patch_embed.proj = nn.Conv2d(3, width, patch, patch)
        layer = nn.TransformerEncoderLayer(width, heads, hidden, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, depth)
        self.mlp_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))
        self.about = {'heads': heads}

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1) + self.pos_embed
        return self.mlp_head(self.transformer(x)[:, 0])


def efficientnet_b0(classes, width):
    setting, last = torchvision.models.efficientnet._efficientnet_conf(
        'efficientnet_b0', width_mult=width, depth_mult=1.0)
    return torchvision.models.EfficientNet(setting, 0.2, num_classes=classes, last_channel=last)


def vit(side, patch, depth, heads, width, hidden, classes):
    net = torchvision.models.VisionTransformer(side, patch, depth, heads, width, hidden,
                                               num_classes=classes)
    net.about = {'heads': heads, 'norm_epsilon': 1e-6}
    return net


class QuickBlock(nn.Module):
    """A block of CLIP: norms first, x sigmoid(1.702 x) between its dense layers."""

    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.c_fc, self.mlp.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        y = self.mlp.c_fc(self.ln_2(x))
        return x + self.mlp.c_proj(y * torch.sigmoid(1.702 * y))


class ClipVit(nn.Module):
    """CLIP's image tower of attention, as far as its embedding."""

    def __init__(self, side, patch, width, depth, heads, outputs):
        super().__init__()
        self.visual = visual = nn.Module()
        visual.class_embedding = nn.Parameter(torch.empty(width))
        visual.positional_embedding = nn.Parameter(torch.empty((side // patch) ** 2 + 1, width))
        visual.proj = nn.Parameter(torch.empty(width, outputs))
        visual.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        visual.ln_pre, visual.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        visual.transformer = nn.Module()
        visual.transformer.resblocks = nn.Sequential(*(QuickBlock(width, heads)
                                                       for _ in range(depth)))
        self.about, self.layer = {'heads': heads}, 'embedding'

    def forward(self, x):
        visual = self.visual
        x = visual.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat((visual.class_embedding.expand(len(x), 1, -1), x), 1)
        x = visual.transformer.resblocks(visual.ln_pre(x + visual.positional_embedding))
        return visual.ln_post(x[:, 0]) @ visual.proj


class ClipBottleneck(nn.Module):
    def __init__(self, inputs, inner, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2, self.bn3 = nn.BatchNorm2d(inner), nn.BatchNorm2d(4 * inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.stride, self.downsample = stride, None
        if stride > 1 or inputs != 4 * inner:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * inner, 1, bias=False),
                                            nn.BatchNorm2d(4 * inner))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        if self.stride > 1:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (self.downsample(x) if self.downsample else x))


class ClipResNet(nn.Module):
    """CLIP's image tower of convolutions: averages for strides, attention for the last pool."""

    def __init__(self, side, width, blocks, heads, outputs):
        super().__init__()
        self.visual = visual = nn.Module()
        stem = (3, width // 2, width // 2, width)
        for i in (1, 2, 3):
            conv = nn.Conv2d(stem[i - 1], stem[i], 3, 2 if i == 1 else 1, 1, bias=False)
            setattr(visual, f'conv{i}', conv)
            setattr(visual, f'bn{i}', nn.BatchNorm2d(stem[i]))
        inputs = width
        for stage, count in enumerate(blocks):
            layers = []
            for i in range(count):
                layers.append(ClipBottleneck(inputs, width << stage,
                                             2 if stage > 0 and i == 0 else 1))
                inputs = 4 * width << stage
            setattr(visual, f'layer{stage + 1}', nn.Sequential(*layers))
        visual.attnpool = pool = nn.Module()
        pool.positional_embedding = nn.Parameter(torch.empty((side // 32) ** 2 + 1, inputs))
        pool.q_proj, pool.k_proj = nn.Linear(inputs, inputs), nn.Linear(inputs, inputs)
        pool.v_proj, pool.c_proj = nn.Linear(inputs, inputs), nn.Linear(inputs, outputs)
        self.about, self.layer, self.heads = {'heads': heads}, 'embedding', heads

    def pool(self, x):
        pool = self.visual.attnpool
        if x.requires_grad:                            # PyTorch 1.13 derives batch norms wrongly of
            x.register_hook(lambda grad: grad.contiguous())    # turned gradients (by differences)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat((x.mean(1, True), x), 1) + pool.positional_embedding
        q, k, v = (layer(y).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer, y in
                   ((pool.q_proj, x[:, :1]), (pool.k_proj, x), (pool.v_proj, x)))
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        return pool.c_proj((scores.softmax(3) @ v).transpose(1, 2).flatten(1))

    def forward(self, x):
        visual = self.visual
        for i in (1, 2, 3):
            x = functional.relu(getattr(visual, f'bn{i}')(getattr(visual, f'conv{i}')(x)))
        x = functional.avg_pool2d(x, 2)
        return self.pool(visual.layer4(visual.layer3(visual.layer2(visual.layer1(x)))))


def networks(is_live):
    """name: (function that makes it, side of the input)."""
    models = torchvision.models
    thin, classes = (1, 1000) if is_live else (8, 10)
    side = 224 if is_live else 64
    out = {}
    for depth in (11, 13, 16, 19):
        for batch_norm in (False, True):
            name = f'vgg{depth}' + ('_bn' if batch_norm else '')
            out[name] = (lambda d=depth, b=batch_norm: vgg(d, b, thin, side), side)
    for depth in (18, 34, 50, 101, 152) if is_live else (18, 50):
        make = getattr(models, f'resnet{depth}')
        options = {} if is_live or depth < 50 else {'width_per_group': 8}
        out[f'resnet{depth}'] = (lambda m=make, o=options: m(num_classes=classes, **o), side)
    for depth in (20, 32, 44, 56) if is_live else (20, 56):
        out[f'resnet{depth}'] = (lambda d=depth: SmallResNet(d), 32)
    out['resnet18_cifar'] = (resnet18_cifar, 32)
    out['resnet50_v2'] = (lambda: ResNetV2(64 // thin), side)
    out['alexnet'] = (lambda: alexnet(thin), 224)
    growth, stem = (32, 64) if is_live else (8, 8)
    out['densenet121'] = (lambda: models.DenseNet(growth, (6, 12, 24, 16), stem,
                                                  num_classes=classes), side)
    out['squeezenet1.0'] = (lambda: models.squeezenet1_0(num_classes=classes), side)
    out['squeezenet1.1'] = (lambda: models.squeezenet1_1(num_classes=classes), side)
    out['lenet'] = (LeNet, 32)
    out['resnext50_32x4d'] = (lambda: models.resnet.ResNet(
        models.resnet.Bottleneck, (3, 4, 6, 3), num_classes=classes, groups=32,
        width_per_group=4 if is_live else 1), side)
    out['mobilenet_v2'] = (lambda: models.mobilenet_v2(
        num_classes=classes, width_mult=1 if is_live else 0.25), side)
    out['efficientnet_b0'] = (lambda: efficientnet_b0(classes, 1 if is_live else 0.25), side)
    out['alexnet_groups'] = (
        lambda: GroupedAlexNet((96, 256, 384, 384, 256), 4096, 1000) if is_live else
        GroupedAlexNet((8, 12, 14, 14, 10), 16, 10), 227)
    out['vit'] = (lambda: vit(224, 16, 12, 12, 768, 3072, 1000), 224) if is_live else \
        (lambda: vit(64, 16, 2, 3, 24, 48, 10), 64)
    out['encoder'] = (lambda: Encoder(32, 4, 128, 256, 6, 8), 32) if is_live else \
        (lambda: Encoder(64, 16, 24, 32, 2, 2), 64)
    out['clip_vit'] = (lambda: ClipVit(224, 16, 768, 12, 12, 512), 224) if is_live else \
        (lambda: ClipVit(64, 16, 24, 2, 3, 8), 64)
    out['clip_resnet'] = (lambda: ClipResNet(224, 64, (3, 4, 6, 3), 32, 1024), 224) if is_live else \
        (lambda: ClipResNet(64, 4, (1, 2, 1, 1), 2, 8), 64)
    if is_live:
        out['vgg16_bn_cifar'] = (vgg16_bn_cifar, 32)
    return out


# ---- weights, reference, file --------------------------------------------------------------------

def rule(name, tensor, is_residual):
    """(centre, spread) that keep activations near one."""
    if name.endswith('running_var'):
        return 1.0, 0.25
    if name.endswith('running_mean') or name.endswith('bias'):
        return 0.0, 0.125
    if tensor.dim() == 1:
        return 1.0, 0.25                               # factor of a batch norm
    if tensor.dim() == 3:
        return 0.0, 0.5                                # class token and places
    fan_in = tensor[0].numel()
    return 0.0, float(np.float32(((3 if is_residual else 6) / fan_in) ** 0.5))


def fill(net, name):
    """Draws every tensor; returns the lines that let the other side do the same."""
    lines, state = [], net.state_dict()
    is_residual = name.startswith(('resne', 'densenet', 'mobilenet', 'efficientnet', 'clip_resnet'))
    for key, tensor in state.items():
        if key.endswith('num_batches_tracked'):
            continue
        centre, spread = rule(key, tensor, is_residual)
        state[key] = draw(key, tuple(tensor.shape), centre, spread)
        shape = ' '.join(map(str, tensor.shape))
        lines.append(f'tensor {key} {centre:.9g} {spread:.9g} {shape}')
    net.load_state_dict(state)
    return lines


PLAIN_RELU, PLAIN_POOL = functional.relu, functional.max_pool2d


def use_softplus(net):
    """Softplus wherever the network has a ReLU, as a module or as a function."""
    def softplus(x, inplace=False):
        return functional.softplus(x, BETA)

    for module in net.modules():
        for child_name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, child_name, SmoothReLU6())
            elif isinstance(child, nn.ReLU):
                setattr(module, child_name, nn.Softplus(BETA))
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation, module.activation_relu_or_gelu = softplus, 0
    functional.relu = softplus


class SmoothReLU6(nn.Module):
    def forward(self, x):
        return functional.softplus(x, BETA) - functional.softplus(x - 6, BETA)


class Pools:
    """While it is entered, keeps what every max-pool decided and, on request, which decisions were
    near ties: (channel, row, column, row and column of the maximum)."""

    def __init__(self, with_ties):
        self.with_ties, self.decisions, self.ties = with_ties, [], []

    def __enter__(self):
        functional.max_pool2d = self.pool
        return self

    def __exit__(self, *_):
        functional.max_pool2d = PLAIN_POOL

    def pool(self, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
             return_indices=False):
        stride = stride or kernel_size
        out, places = PLAIN_POOL(x, kernel_size, stride, padding, dilation, ceil_mode, True)
        self.decisions.append(places.detach())
        if self.with_ties:
            self.ties.append(near_ties(x.detach(), out.detach(), places, kernel_size, stride,
                                       padding))
        return out


def near_ties(x, out, places, window, stride, padding):
    rows, columns = out.shape[2:]
    height, width = ((n - 1) * stride + window for n in (rows, columns))
    padded = functional.pad(x, (padding, width - x.shape[3] - padding,
                                padding, height - x.shape[2] - padding), value=-float('inf'))
    cells = padded[0].unfold(1, window, stride).unfold(2, window, stride)
    best = cells.reshape(-1, window * window).topk(2).values
    near = torch.nonzero(best[:, 0] - best[:, 1] < NEAR * best[:, 0]).flatten()
    chosen = places[0].flatten()[near]
    return torch.stack((near // (rows * columns), near // columns % rows, near % columns,
                        chosen // x.shape[3], chosen % x.shape[3]), 1)


def evaluate(net, x, direction, label):
    """Logits, d logit / d input, and (with a direction) the second derivative times it."""
    x = x.clone().requires_grad_(True)
    logits = net(x)
    gradient, = torch.autograd.grad(logits[0, label], x, create_graph=direction is not None)
    out = [logits, gradient]
    if direction is not None:
        out += torch.autograd.grad((gradient * direction).sum(), x)
    return [tensor.detach().double().flatten() for tensor in out]


def relative(found, want):
    return float((found - want).norm() / want.norm())


def sample_places(count, wanted):
    wanted = min(count, wanted)
    stride, index = count // wanted, torch.arange(wanted)
    return index * stride + index % min(7, stride)


def answers(net, double_net, side, activation, inputs, samples):
    """The lines of every input; the label is the first input's best class."""
    lines, label = [], None
    is_smooth = activation == 'softplus'
    direction = draw('direction', (1, 3, side, side), 0, 1) if is_smooth else None
    for i in range(inputs):
        x = draw(f'input{i or ""}', (1, 3, side, side), 0, 1)
        if label is None:
            label = int(net(x).detach()[0].argmax())
        with Pools(False) as single_pools:
            single = evaluate(net, x, direction, label)
        with Pools(is_smooth) as double_pools:
            double = evaluate(double_net, x.double(), direction.double() if is_smooth else None,
                              label)
        if i:
            lines.append(f'input {i}')
        lines.append(f'logits {len(double[0])} ' + ' '.join(f'{v:.10g}' for v in double[0].tolist()))
        worst = (single[0] - double[0]).abs().max() / double[0].abs().max()
        lines.append(f'logits_error {float(worst):.3g}')
        lines.append(f'label {label}')
        places = sample_places(x.numel(), samples)
        for kind, want, found in zip(('gradient', 'hessian'), double[1:], single[1:]):
            want, found = want[places], found[places]
            for place, value in zip(places.tolist(), want.tolist()):
                lines.append(f'{kind} {place} {value:.10g}')
            lines.append(f'{kind}_error {relative(found, want):.3g}')
        if not is_smooth:
            continue
        flips = 0
        for found, want, ties in zip(single_pools.decisions, double_pools.decisions,
                                     double_pools.ties):
            cells = 0, ties[:, 0], ties[:, 1], ties[:, 2]
            flips += int((found[cells] != want[cells]).sum())
        lines.append(f'flips {flips}')
        for pool, ties in enumerate(double_pools.ties):
            lines += [f'tie {pool} ' + ' '.join(map(str, tie)) for tie in ties.tolist()]
    return lines


def write_references(folder, name, make, side, is_live):
    net = make().eval()
    functional.relu = PLAIN_RELU
    tensors = fill(net, name)
    double_net = copy.deepcopy(net).double()
    for activation in ('relu', 'softplus'):
        if activation == 'softplus':
            use_softplus(net)
            use_softplus(double_net)
        is_seen = not is_live or (activation == 'relu' and name in SMOOTH)
        inputs = 1 if is_seen else LIVE_INPUTS[activation, side < 64]
        architecture = 'vgg16_bn' if name == 'vgg16_bn_cifar' else name
        lines = [f'architecture {architecture}', f'activation {activation}', f'side {side}']
        lines += [f'about {key} {value}' for key, value in getattr(net, 'about', {}).items()]
        if hasattr(net, 'layer'):
            lines.append(f'layer {net.layer}')
        lines += tensors
        lines += answers(net, double_net, side, activation, inputs, LIVE_SAMPLES if is_live else 64)
        with open(os.path.join(folder, f'{name}-{activation}.txt'), 'w') as file:
            file.write('\n'.join(lines) + '\n')
    functional.relu = PLAIN_RELU


def main():
    is_live = sys.argv[1:2] == ['live']
    if not is_live and sys.argv[1:2] != ['golden']:
        sys.exit('usage: parity.py golden | live FOLDER [ARCHITECTURE...]')
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[2] if is_live else os.path.join(here, 'golden')
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    for name, (make, side) in networks(is_live).items():
        if len(sys.argv) <= 3 or name in sys.argv[3:]:
            write_references(folder, name, make, side, is_live)
            print(name, flush=True)


if __name__ == '__main__':
    main()
