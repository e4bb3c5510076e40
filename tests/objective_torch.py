"""Objectives of a training in PyTorch: the other half of test_objective_torch.c and of
check_objective_layers.c.

    objective_torch.py steps  FOLDER NETWORK OBJECTIVES BATCH BETA L2 COS HESSIAN EPS ATTACK STEPS INPUTS
    objective_torch.py losses FOLDER SIDE WIDTH BATCH BETA L2 COS HESSIAN EPS STEPS RATE

`steps` takes one step of each objective of a list in float64 and prints a line each: the loss, its
terms (0: none), and the relative distance of all velocities together, and the largest of running
statistics, in FOLDER/end-OBJECTIVE.nw from it. NETWORK is lenet or resnet18_cifar, with softplus of
BETA; ATTACK is the eps of pgd and triplet, INPUTS what the latter's attack sees. FOLDER holds start.nw, images (bytes [n, 3, 32, 32]), labels (bytes), order (int64) and
noise-OBJECTIVE (float32, [batch, 3, 32, 32]).

`losses` prints the loss of each of STEPS steps of SGD with l2-cosd, in float64 and in float32, the
rate falling to 0 in a straight line. FOLDER holds weights, images and noise in float64, as
tests/check_objective_layers.c writes them."""

import os
import sys

import numpy as np
import torch
from torch.nn import functional as F

from training_torch import distance, read_blob

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def lenet(w, x, act):
    for name in ('conv11', 'conv12', 'pool', 'conv21', 'conv22', 'pool'):
        x = (F.max_pool2d(x, 2) if name == 'pool' else
             act(F.conv2d(x, w[name + '.weight'], w[name + '.bias'], padding=1)))
    x = act(F.linear(x.flatten(1), w['fc1.weight'], w['fc1.bias']))
    return F.linear(x, w['fc2.weight'], w['fc2.bias'])


def batch_norm(w, x, base):
    """By single operations: the derivative of the second derivative of F.batch_norm (of PyTorch 1.13),
    which `hessian` needs, is not the slope of its loss: 0.7 away for a convolution before it."""
    mean = x.mean((0, 2, 3))
    variance = (x - mean[:, None, None]).square().mean((0, 2, 3))
    factor = w[base + '.weight'] / (variance + 1e-5).sqrt()
    with torch.no_grad():
        count = x.numel() / x.shape[1]
        w[base + '.running_mean'].lerp_(mean, 0.1)
        w[base + '.running_var'].lerp_(variance * count / (count - 1), 0.1)
    return (x - mean[:, None, None]) * factor[:, None, None] + w[base + '.bias'][:, None, None]


def resnet18_cifar(w, x, act):
    def norm(x, base):
        return batch_norm(w, x, base)

    x = act(norm(F.conv2d(x, w['conv1.weight'], padding=1), 'bn1'))
    for stage in range(1, 5):
        for block in range(2):
            base, stride = f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, w[base + '.conv1.weight'], stride=stride, padding=1)
            y = act(norm(y, base + '.bn1'))
            y = norm(F.conv2d(y, w[base + '.conv2.weight'], padding=1), base + '.bn2')
            if base + '.downsample.0.weight' in w:
                x = norm(F.conv2d(x, w[base + '.downsample.0.weight'], stride=stride),
                         base + '.downsample.1')
            x = act(x + y)
    return F.linear(x.mean((2, 3)), w['fc.weight'], w['fc.bias'])


NETWORKS = {'lenet': lenet, 'resnet18_cifar': resnet18_cifar}


class Training:
    def __init__(self, folder, network, objective, batch, factors, attack, dtype):
        def numbers(name, kind):
            return torch.tensor(np.fromfile(os.path.join(folder, name), kind))

        self.pixels = numbers('images', np.uint8).reshape(-1, 3, 32, 32)
        self.labels = numbers('labels', np.uint8).long()
        self.order = numbers('order', np.int64).reshape(-1, len(self.labels))
        self.noise = numbers('noise-' + objective, np.float32).reshape(-1, batch, 3, 32, 32)
        self.objective, self.batch, self.dtype = objective, batch, dtype
        self.beta, self.l2, self.cos, self.hessian, self.eps = factors
        self.attack = attack
        self.network = NETWORKS[network]
        start = read_blob(os.path.join(folder, 'start.nw'))
        self.weights = {name: tensor.to(dtype) for name, tensor in start.items()}
        self.learned = {name: tensor.requires_grad_() for name, tensor in self.weights.items()
                        if 'running' not in name}

    def forward(self, x):
        return self.network(self.weights, x, lambda z: F.softplus(z, self.beta, 1e9))

    def label_gradient(self, x, logits, labels):
        score = logits.gather(1, labels[:, None]).sum()
        return torch.autograd.grad(score, x, create_graph=True)[0]

    def batch_of(self, number):
        """Prepared images, labels, noise and one over the deviation of pixels."""
        epoch, place = divmod(number, len(self.labels) // self.batch)
        chosen = self.order[epoch, place * self.batch:(place + 1) * self.batch]
        mean, std = (torch.tensor(c, dtype=self.dtype)[None, :, None, None] for c in (MEAN, STD))
        x = (self.pixels[chosen].to(self.dtype) / 255 - mean) / std
        return x, self.labels[chosen], self.noise[number].to(self.dtype), 1 / std

    def gradients(self, x, labels):
        """Logits, and of each image the gradients of the label's logit and of the best other one."""
        logits = self.forward(x)
        others = logits.scatter(1, labels[:, None], -np.inf).max(1)[0].sum()
        return (logits, self.label_gradient(x, logits, labels),
                torch.autograd.grad(others, x, create_graph=True)[0])

    def attacked(self, x, labels, noise, unit):
        """x', and the steps' term: of all numbers the cross-entropy, of some the triplet's."""
        eps, steps, inputs = self.attack
        low, high = (torch.tensor([(edge - m) / s for m, s in zip(MEAN, STD)], dtype=self.dtype)
                     [None, :, None, None] for edge in (0, 1))
        least, most = torch.maximum(x - eps * unit, low), torch.minimum(x + eps * unit, high)
        point, seen = (x + noise * eps * unit).clamp(least, most), None
        for _ in range(int(steps)):
            point = point.detach().requires_grad_()
            logits, g, h = self.gradients(point, labels)
            if self.objective == 'triplet':
                if seen is None:
                    seen = g.flatten(1).abs().topk(int(inputs), 1)[1]
                p, g, h = (array.flatten(1).gather(1, seen) for array in (point, g, h))
                term = F.softplus(F.cosine_similarity(p, h) - F.cosine_similarity(p, g)).sum()
            else:
                term = F.cross_entropy(logits, labels, reduction='sum')
            slope = torch.autograd.grad(term, point)[0]
            point = (point + 2.5 / steps * eps * unit * slope.sign()).clamp(least, most)
        return point.detach().requires_grad_()

    def triplet(self, x, attacked, labels):
        """The mean over x and x' with the harder of both pairs of gradients: a table of cosines of
        all points with all gradients, of which those of the same image count."""
        points = torch.cat([x, attacked]).detach().requires_grad_()
        _, g, h = self.gradients(points, labels.repeat(2))
        image = torch.arange(len(x)).repeat(2)
        same = image[:, None] == image[None, :]
        p, g, h = (F.normalize(array.flatten(1)) for array in (points.detach(), g, h))
        far = (1 - p @ g.T).masked_fill(~same, -np.inf).max(1)[0]
        near = (1 - p @ h.T).masked_fill(~same, np.inf).min(1)[0]
        return F.soft_margin_loss(near - far, torch.ones_like(near))

    def loss(self, number):
        """The loss of a step and its terms: cross-entropy, l2, cosd, hessian or the triplet's."""
        x, labels, noise, unit = self.batch_of(number)
        x.requires_grad_()
        if self.objective in ('pgd', 'triplet'):
            zero = torch.zeros((), dtype=self.dtype)
            point = self.attacked(x.detach(), labels, noise, unit)
            entropy = F.cross_entropy(self.forward(point), labels)
            term = self.triplet(x, point, labels) if self.objective == 'triplet' else zero
            return entropy + 0.5 * term, (entropy, zero, zero, term)
        logits = self.forward(x)
        entropy = F.cross_entropy(logits, labels)
        zero = torch.zeros((), dtype=self.dtype)
        if self.objective == 'ce':
            return entropy, (entropy, zero, zero, zero)
        gradient = self.label_gradient(x, logits, labels)
        if self.objective == 'hessian':
            product = torch.autograd.grad((noise * gradient).sum(), x, create_graph=True)[0]
            term = product.flatten(1).square().sum(1).mean()
            return entropy + self.hessian * term, (entropy, zero, zero, term)
        gradient = gradient.detach()
        moved = (x.detach() + noise * self.eps * unit).requires_grad_()
        other = self.label_gradient(moved, self.forward(moved), labels)
        cosine = F.cosine_similarity(gradient.flatten(1), other.flatten(1))
        l2 = (gradient - other).flatten(1).square().sum(1).mean()
        cosd = (1 - cosine.mean()) / 2
        return entropy + self.l2 * l2 + self.cos * cosd, (entropy, l2, cosd, zero)


class Drawn(Training):
    """A LeNet of four times `width` channels, one batch; FOLDER holds weights, images and noise."""

    def __init__(self, folder, side, width, batch, steps, factors, dtype):
        def numbers(name, *shape):
            return torch.tensor(np.fromfile(os.path.join(folder, name))).reshape(shape).to(dtype)

        self.objective, self.dtype, self.network = 'l2-cosd', dtype, lenet
        self.beta, self.l2, self.cos, self.hessian, self.eps = factors
        self.images = numbers('images', batch, 3, side, side)
        self.noise = numbers('noise', steps, batch, 3, side, side)
        self.labels = torch.arange(batch) % 4
        shapes = {'conv11': (width, 3, 3, 3), 'conv12': (width, width, 3, 3),
                  'conv21': (2 * width, width, 3, 3), 'conv22': (2 * width, 2 * width, 3, 3),
                  'fc1': (8 * width, side * side * width // 8), 'fc2': (4, 8 * width)}
        rest, self.learned = numbers('weights', -1), {}
        for name, shape in shapes.items():
            for part, dims in ('.weight', shape), ('.bias', shape[:1]):
                count = int(np.prod(dims))
                self.learned[name + part] = rest[:count].reshape(dims).clone().requires_grad_()
                rest = rest[count:]
        self.weights = self.learned

    def batch_of(self, number):
        return self.images.clone(), self.labels, self.noise[number], 1


def together(found, wanted):
    """The distance of all tensors over their length."""
    apart = sum(float((found[name] - wanted[name]).square().sum()) for name in wanted)
    return (apart / sum(float(tensor.square().sum()) for tensor in wanted.values())) ** 0.5


def compare_step(training, folder):
    loss, terms = training.loss(0)
    loss.backward()
    gradients = {name: tensor.grad for name, tensor in training.learned.items()}
    ours = {name: tensor.double() for name, tensor in
            read_blob(os.path.join(folder, f'end-{training.objective}.nw')).items()}
    velocities = {name[len('state.first.'):]: tensor for name, tensor in ours.items()
                  if name.startswith('state.first.')}
    statistics = {name: tensor for name, tensor in training.weights.items() if 'running' in name}
    print(*('%.12g' % float(number) for number in (loss, *terms)), together(velocities, gradients),
          distance(ours, statistics) if statistics else 0, flush=True)


def losses(training, steps, rate):
    optimiser = torch.optim.SGD(training.learned.values(), rate, 0.9)
    for number in range(steps):
        loss, _ = training.loss(number)
        optimiser.param_groups[0]['lr'] = rate * (1 - number / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.item()


def main():
    what, folder = sys.argv[1:3]
    if what == 'steps':
        network, objectives, batch, *factors = sys.argv[3:]
        batch, factors = int(batch), [float(word) for word in factors]
        for objective in objectives.split(','):
            compare_step(Training(folder, network, objective, batch, factors[:5], factors[5:],
                                  torch.float64), folder)
        return
    sizes, factors = [int(word) for word in sys.argv[3:6]], [float(word) for word in sys.argv[6:11]]
    steps, rate = int(sys.argv[11]), float(sys.argv[12])
    exact, plain = (Drawn(folder, *sizes, steps, factors, dtype)
                    for dtype in (torch.float64, torch.float32))
    for pair in zip(losses(exact, steps, rate), losses(plain, steps, rate)):
        print('%.12g %.12g' % pair)


if __name__ == '__main__':
    main()
