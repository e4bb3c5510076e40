"""Attacks on explanation maps in PyTorch, for the suite `map_parity` to compare with, live.

    /usr/bin/python3 tests/parity/map_attacks.py PROGRAM DATA FOLDER [--all]
    NEMESIS_MAP_PARITY=FOLDER build/release/tests map_parity

SqueezeNet 1.1 and CIFAR ResNet-20 with their published weights, of DATA (../shared/data). For each
pair of images and method: the loss (M4), its gradient at the photo with beta 10 and at the attacked
image with beta 100, and the map distance after some steps of Adam with growing beta, in float64, and
how far PyTorch in float32 is from all of that. Maps of gradients are PyTorch's own double backward;
`guided`, `pattern` and `lrp`, which it does not have, are walks through SqueezeNet written again
here. Without --all: one pair each, SqueezeNet's photos 64 pixels wide; with it four pairs and two, of
224 pixels. Needs PyTorch, torchvision and NumPy."""

import copy
import glob
import os
import subprocess
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import maps
import parity

STEPS = {'resnet20': 50, 'squeezenet1.1': 10}    # more of SqueezeNet tell nothing: README.md
PHOTOS = {'resnet20': 8, 'squeezenet1.1': 4}     # at least, for maps.py; attacks take the first
POINTS = 4                                          # of a path; 30 cost more and compare the same
BETAS, REFERENCE_BETA = (10.0, 100.0), 1000.0
MAP_FACTOR, OUTPUT_FACTOR = 1e11, 1e6
RATES = {'lrp': 2e-4, 'pattern': 2e-3}    # table 1; all others 1e-3
GRADIENTS = ('gradient', 'gradient-x-input', 'integrated')
WALKS = ('guided', 'pattern', 'lrp')
MEAN, STD = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))

HERE = os.path.dirname(os.path.abspath(__file__))


class Activation(nn.Module):
    """Softplus of one beta for a whole network; 0: ReLU."""
    beta = 0.0

    def forward(self, x):
        return functional.softplus(x, self.beta) if self.beta else parity.PLAIN_RELU(x)


def slope(z):
    """Of the activation."""
    return torch.sigmoid(Activation.beta * z) if Activation.beta else (z >= 0).to(z.dtype)


def use_activation(net):
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, Activation())
    functional.relu = lambda x, inplace=False: Activation()(x)


# ---- walks back, for methods of rules ----------------------------------------------------------


def back(function, x, delta):
    """What a linear function's transpose makes of delta, as something with a derivative."""
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(function(x), x, delta, create_graph=True)[0]


class Walk:
    """Forward through SqueezeNet; `steps` then goes back from the logits to the image."""

    def __init__(self, net, method, patterns):
        self.net, self.method = net, method
        self.patterns = {name.replace('.pattern', '.weight'): value for name, value in patterns.items()}
        self.names = {module: name for name, module in net.named_modules()}

    def linear(self, conv, weight):
        return lambda x: functional.conv2d(x, weight, None, conv.stride, conv.padding)

    def conv(self, conv, x, is_first=False):
        """A convolution and its activation: the value, and the way back."""
        z, w = conv(x), conv.weight
        act = Activation()

        def gradient_way(delta):
            if self.method == 'guided':
                delta = act(delta)
            use = w * self.patterns[self.names[conv] + '.weight'].to(w.dtype) if self.method == 'pattern' else w
            return back(self.linear(conv, use), x, delta * slope(z))

        def relevance_way(delta):
            plus, minus = self.linear(conv, w.clamp(min=0)), self.linear(conv, w.clamp(max=0))
            if not is_first:
                s = delta / (plus(x) + 1e-9)
                return x * back(plus, x, s)
            low = torch.full_like(x, float((-MEAN / STD).min()))
            high = torch.full_like(x, float(((1 - MEAN) / STD).max()))
            plain = self.linear(conv, w)
            s = delta / (plain(x) - plus(low) - minus(high) + 1e-9)
            return x * back(plain, x, s) - low * back(plus, x, s) - high * back(minus, x, s)

        return act(z), relevance_way if self.method == 'lrp' else gradient_way

    def fire(self, fire, x):
        a, squeeze = self.conv(fire.squeeze, x)
        ones, back_ones = self.conv(fire.expand1x1, a)
        threes, back_threes = self.conv(fire.expand3x3, a)
        half = ones.shape[1]
        return (torch.cat((ones, threes), 1),
                lambda delta: squeeze(back_ones(delta[:, :half]) + back_threes(delta[:, half:])))

    def mean(self, x):
        average = lambda y: y.mean((2, 3))
        if self.method == 'lrp':
            return average(x), lambda delta: x * back(average, x, delta / (average(x) + 1e-9))
        return average(x), lambda delta: back(average, x, delta)

    def run(self, x, label):
        ways = []
        for module in self.net.features:
            if isinstance(module, nn.Conv2d):
                x, way = self.conv(module, x, not ways)
            elif isinstance(module, nn.MaxPool2d):
                way = lambda delta, module=module, x=x: back(module, x, delta)
                x = module(x)
            elif isinstance(module, Activation):
                continue
            else:
                x, way = self.fire(module, x)
            ways.append(way)
        x, way = self.conv(self.net.classifier[1], x)
        logits, mean = self.mean(x)
        chosen = torch.zeros_like(logits)
        chosen[0, label] = 1
        delta = logits * chosen
        for way in [mean, way] + ways[::-1]:
            delta = way(delta)
        return delta, logits


# ---- maps, loss, gradient ----------------------------------------------------------------------


def form(r):
    map_ = r.abs().sum(1)[0]
    return map_ / map_.sum()


class Case:
    """One method on one network in one precision."""

    def __init__(self, net, method, steps, points, patterns):
        self.net, self.method, self.steps = net, method, steps
        self.points, self.patterns = points, patterns

    def attribution(self, x, label):
        """With a derivative in x; also the logits."""
        if self.method in WALKS:
            return Walk(self.net, self.method, self.patterns).run(x, label)
        logits = self.net(x)
        r, = torch.autograd.grad(logits[0, label], x, create_graph=True)
        return (x * r if self.method == 'gradient-x-input' else r), logits

    def path_gradient(self, x, label, j):
        """At point j of the path, a leaf of its own: the gradient of the probability."""
        point = (x.detach() * (j / self.points)).requires_grad_(True)
        probability = functional.softmax(self.net(point), 1)[0, label]
        return point, torch.autograd.grad(probability, point, create_graph=True)[0]

    def path_mean(self, x, label):
        return sum(self.path_gradient(x, label, j)[1].detach() for j in range(1, self.points + 1)) / self.points

    def map(self, x, label):
        x = x.clone().requires_grad_(True)
        if self.method == 'integrated':
            return form(x * self.path_mean(x, label)).detach()
        return form(self.attribution(x, label)[0]).detach()

    def loss(self, x, label, wanted, outputs):
        """The two terms and the gradient of their sum."""
        x = x.clone().requires_grad_(True)
        is_path = self.method == 'integrated'
        if is_path:    # a point at a time: the mean first, then what its derivative asks of each
            mean, logits = self.path_mean(x, label).requires_grad_(True), self.net(x)
            r = x * mean
        else:
            r, logits = self.attribution(x, label)
        map_term = MAP_FACTOR * ((form(r) - wanted) ** 2).mean()
        output_term = OUTPUT_FACTOR * ((functional.softmax(logits, 1)[0] - outputs) ** 2).mean()
        total = map_term + output_term
        if not is_path:
            gradient, = torch.autograd.grad(total, x)
        else:
            gradient, weight = torch.autograd.grad(total, (x, mean))
            for j in range(1, self.points + 1):
                point, slope_ = self.path_gradient(x, label, j)
                gradient = gradient + torch.autograd.grad((slope_ * weight).sum(), point)[0] * (j / self.points ** 2)
        return map_term.detach(), output_term.detach(), gradient.detach()

    def attack(self, x, label, wanted, outputs, low, high, rate):
        """The image and its map term after all steps."""
        x = x.clone().requires_grad_(True)
        adam = torch.optim.Adam([x], lr=rate)
        for step in range(self.steps):
            self.grow(step)
            x.grad = self.loss(x.detach(), label, wanted, outputs)[2]
            adam.step()
            with torch.no_grad():
                x.copy_(torch.minimum(torch.maximum(x, low), high))
        self.grow(self.steps)
        return x.detach(), float(self.loss(x.detach(), label, wanted, outputs)[0])

    def grow(self, step):
        if self.method == 'lrp':    # attacked on the ReLU network
            Activation.beta = 0.0
        else:
            Activation.beta = BETAS[0] * (BETAS[1] / BETAS[0]) ** (step / self.steps)


def best(net, x):
    Activation.beta = 0.0
    with torch.no_grad():
        return int(net(x)[0].argmax())


# ---- a reference -------------------------------------------------------------------------------


def gradient_error(single, double, step, image, facts):
    """float64's gradient at an image, and how far float32's is from it."""
    double.grow(step)
    wanted = double.loss(image, *facts)[2]
    label, map_, outputs = facts
    found = single.loss(image.float(), label, map_.float(), outputs.float())[2].double()
    return wanted, float((found - wanted).norm() / wanted.norm())


def write_case(folder, name, network, single, double, image, target, rate):
    """Files NAME-*.f64 and a line of cases.txt."""
    image, target = torch.from_numpy(image[None]).double(), torch.from_numpy(target[None]).double()
    label, other = best(double.net, image), best(double.net, target)
    is_relu = double.method == 'lrp'
    Activation.beta = 0.0 if is_relu else REFERENCE_BETA
    wanted = double.map(target, other).float().double()    # both sides read the same numbers
    with torch.no_grad():
        outputs = functional.softmax(double.net(image), 1)[0]
    mean, std = (torch.from_numpy(v).double().reshape(1, 3, 1, 1) for v in (MEAN, STD))
    low, high = -mean / std, (1 - mean) / std
    facts = (label, wanted, outputs)
    start, start_error = gradient_error(single, double, 0, image, facts)
    attacked, distance = double.attack(image, *facts, low, high, rate)
    attacked = attacked.float().double()
    end, end_error = gradient_error(single, double, double.steps, attacked, facts)
    _, single_distance = single.attack(image.float(), label, wanted.float(), outputs.float(), low.float(), high.float(), rate)
    double.grow(0)
    before = float(double.loss(image, *facts)[0])
    for part, value in (('image', image), ('wanted', wanted), ('start', start), ('attacked', attacked), ('end', end)):
        value.numpy().astype('<f8').tofile(os.path.join(folder, f'{name}-{part}.f64'))
    with open(os.path.join(folder, 'cases.txt'), 'a') as file:
        betas = (0, 0) if is_relu else BETAS
        file.write(f'{name} {network} {double.method} {image.shape[3]} {label} {double.points} {double.steps} {rate:g} {betas[0]:g} {betas[1]:g} '
                   f'{start_error:.3g} {end_error:.3g} {before:.9g} {distance:.9g} {single_distance:.9g}\n')
    print(f'{name}: gradient of float32 off by {start_error:.1e} and {end_error:.1e}; map term {before:.5g}, '
          f'then {distance:.6g} and {single_distance:.6g}', flush=True)


# ---- networks and photos -----------------------------------------------------------------------


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def prepared(levels):
    return np.ascontiguousarray(((levels / np.float32(255) - MEAN) / STD).transpose(0, 3, 1, 2), np.float32)


def squeezenet_photos(program, data, folder, side, count):
    photos = []
    for path in sorted(glob.glob(os.path.join(data, 'imagenet', '*.JPEG')))[:count]:
        out = os.path.join(folder, 'photo.npy')
        run(program, 'image', path, '--resize', str(side * 8 // 7), '--crop', str(side), '-o', out)
        photos.append(np.load(out))
    return prepared(np.stack(photos))


def cifar_photos(program, data, folder, count):
    out = os.path.join(folder, 'photo.npy')
    run(program, 'image', os.path.join(data, 'cifar10', 'cifar10_batch_50.png'), '-o', out)
    return prepared(np.load(out)[:count].reshape(count, 32, 32, 3))


def write_network(program, data, folder, name, weights, is_all):
    is_small = name == 'resnet20'
    pairs = (4 if is_small else 2) if is_all else 1
    count = max(2 * pairs, PHOTOS[name])
    patterns = {}
    run(sys.executable, os.path.join(HERE, '../../weights/convert.py'), os.path.join(data, 'weights', weights),
        '-o', os.path.join(folder, name + '.nw'))
    if not is_small:
        photos = squeezenet_photos(program, data, folder, 224 if is_all else 64, count)
        learnt = os.path.join(folder, name + '-patterns.nw')
        run(program, 'patterns', '-m', os.path.join(folder, name + '.nw'), '-d', os.path.join(data, 'broden_mini'),
            '--limit', '40', '-o', learnt, '--overwrite')
        patterns = maps.read_blob(learnt)
        methods = GRADIENTS + WALKS
    else:
        photos = cifar_photos(program, data, folder, count)
        methods = GRADIENTS
    np.save(os.path.join(folder, name + '.npy'), photos)
    net, photos = maps.published(name, folder)
    use_activation(net)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    wide = copy.deepcopy(net).double()
    for pair in range(pairs):
        for method in methods:
            single, double = (Case(n, method, STEPS[name], POINTS if method == 'integrated' else 0, patterns) for n in (net, wide))
            write_case(folder, f'{name}-{method}-{pair}', name, single, double, photos[2 * pair],
                       photos[2 * pair + 1], RATES.get(method, 1e-3))


def main():
    words = [word for word in sys.argv[1:] if word != '--all']
    if len(words) != 3:
        sys.exit('usage: map_attacks.py PROGRAM DATA FOLDER [--all]')
    program, data, folder = os.path.abspath(words[0]), words[1], words[2]
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, 'cases.txt'), 'w').close()
    torch.manual_seed(0)
    for name, weights in (('resnet20', 'cifar10_resnet/resnet20-12fca82f.th'), ('squeezenet1.1', 'squeezenet1.1_imagenet')):
        write_network(program, data, folder, name, weights, '--all' in sys.argv)


if __name__ == '__main__':
    main()
