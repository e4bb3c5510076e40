"""PyTorch on the networks of the bench, taking turns with it so that both see the same machine.

usage: torch_models.py BENCH THREADS [ROUNDS]
Prints ms an image of both and the ratio; medians and bests over the rounds. Convolutions up to conv5_3
for VGG16, the whole network for ResNet-50; the gradient is that of the output's sum with respect to the
pixels, without gradients of weights."""

import json
import statistics
import subprocess
import sys
import time

import torch
import torchvision

CASES = [  # arch, upto, pass, batch
    ('vgg16', 'conv5_3', 'forward', 8),
    ('vgg16', 'conv5_3', 'input-gradient', 8),
    ('vgg16', 'conv5_3', 'forward', 1),
    ('resnet50', 'logits', 'forward', 8),
    ('resnet50', 'logits', 'input-gradient', 8),
]
CONV5_3 = 29  # layers of VGG16's `features` up to and including that convolution


def network(arch):
    if arch == 'vgg16':
        net = torchvision.models.vgg16(weights=None).features[:CONV5_3]
        for module in net:
            if isinstance(module, torch.nn.ReLU):
                module.inplace = False
    else:
        net = torchvision.models.resnet50(weights=None)
    return net.eval().requires_grad_(False)


def run_once(net, pixels, with_gradient):
    start = time.perf_counter()
    if with_gradient:
        pixels = pixels.detach().requires_grad_(True)
        net(pixels).sum().backward()
    else:
        with torch.inference_mode():
            net(pixels)
    return (time.perf_counter() - start) * 1e3 / len(pixels)


def ours(bench, threads, arch, upto, which, batch):
    command = [bench, 'model', '--arch', arch, '--upto', upto, '--pass', which, '-b', str(batch),
               '-t', str(threads), '--runs', '3', '--json']
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return row['ms_per_image'], row['best_ms'], row['gflops'] / row['peak_gflops']


def main():
    bench, threads = sys.argv[1], int(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    print(f'networks, PyTorch {torch.__version__} against this engine, {threads} threads (ms an image)')
    print(f'{"case":38} {"ours":>8} {"best":>8} {"of peak":>8} {"PyTorch":>8} {"best":>8} {"ratio":>6}'
          f' {"of bests":>8}')
    for arch, upto, which, batch in CASES:
        net, pixels = network(arch), torch.rand(batch, 3, 224, 224)
        run_once(net, pixels, which != 'forward')
        medians, bests, shares, peer = [], [], [], []
        for _ in range(rounds):
            median, best, share = ours(bench, threads, arch, upto, which, batch)
            medians.append(median)
            bests.append(best)
            shares.append(share)
            peer += [run_once(net, pixels, which != 'forward') for _ in range(3)]
        mine, theirs = statistics.median(medians), statistics.median(peer)
        print(f'{f"{arch} {upto} {which} b{batch}":38} {mine:8.1f} {min(bests):8.1f}'
              f' {statistics.median(shares):8.2f} {theirs:8.1f} {min(peer):8.1f} {theirs / mine:6.2f}'
              f' {min(peer) / min(bests):8.2f}', flush=True)


main()
