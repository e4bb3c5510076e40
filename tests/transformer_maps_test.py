#!/usr/bin/env python3
"""Maps of transformers against PyTorch: a trained encoder on pictures of CIFAR-10, and a thin ViT.

The networks are written once more, with autograd for what the methods need: derivatives of the weights
of attention (gradient-rollout), a gradient with what is held constant detached (lrp-transformer), and
functions whose backward divides relevance in place of a derivative (attnlrp). The program, in float32,
is compared with float64: maps are within 1e-5. Those of attnlrp, which divides by sums that are nearly 0, are
within 0.1, and by the median at most twice as far away as PyTorch's in float32."""
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("NEMESIS", "./nemesis"))
DATA = os.environ.get("NEMESIS_DATA", os.path.join(ROOT, "..", "shared", "data"))
SKIPPED = "  skipped: {}\n0 passed, 0 failed, 1 skipped"

try:
    import numpy as np
    import torch
    from torch.nn import functional as F
except ImportError:
    other = "/usr/bin/python3"  # may have it where another Python 3 comes first
    if "TRANSFORMER_MAPS_AGAIN" not in os.environ and os.access(other, os.X_OK) and \
            subprocess.run([other, "-c", "import numpy, torch"], capture_output=True).returncode == 0:
        os.environ["TRANSFORMER_MAPS_AGAIN"] = "yes"
        os.execv(other, [other, os.path.abspath(__file__)])
    print(SKIPPED.format("no PyTorch, for maps of transformers"))
    sys.exit(0)

torch.set_num_threads(1)
E = 1e-9  # the stabiliser of the mode

# ---- the networks ------------------------------------------------------------------------------


class Kind:
    """What the two networks do differently; names are those of their checkpoints."""

    def __init__(self, heads, block, depth, parts, names, norm_first, activation, epsilon):
        self.heads, self.block, self.depth = heads, block, depth
        self.packed, self.join, self.up, self.down, self.norms = parts
        self.patches, self.token, self.places, self.norm, self.head = names
        self.norm_first, self.activation, self.epsilon = norm_first, activation, epsilon


ENCODER = Kind(8, "transformer.layers.{}.", 6, ("self_attn.in_proj_", "self_attn.out_proj.", "linear1.", "linear2.",
                                                ("norm1.", "norm2.")),
               ("patch_embed.proj.", "cls_token", "pos_embed", "mlp_head.0.", "mlp_head.1."), False, "relu", 1e-5)
VIT = Kind(3, "encoder.layers.encoder_layer_{}.", 3, ("self_attention.in_proj_", "self_attention.out_proj.", "mlp.0.",
                                                      "mlp.3.", ("ln_1.", "ln_2.")),
           ("conv_proj.", "class_token", "encoder.pos_embedding", "encoder.ln.", "heads.head."), True, "gelu", 1e-6)


class Plain:
    """The parts of a network as they are."""

    def dense(self, x, w, b):
        return F.linear(x, w, b)

    def norm(self, x, w, b, epsilon):
        return F.layer_norm(x, w.shape, w, b, epsilon)

    def activation(self, x, kind):
        return getattr(F, kind)(x)

    def add(self, a, b):
        return a + b

    def product(self, a, b):
        return a @ b

    def scale(self, x, factor):
        return x * factor

    def softmax(self, x):
        return x.softmax(-1)


class Held(Plain):
    """With attention, deviations and gates detached."""

    def norm(self, x, w, b, epsilon):
        deviation = (x.var(-1, unbiased=False, keepdim=True) + epsilon).sqrt()
        return (x - x.mean(-1, keepdim=True)) / deviation.detach() * w + b

    def activation(self, x, kind):
        return F.relu(x) if kind == "relu" else x * (0.5 + 0.5 * torch.erf(x / 2 ** 0.5)).detach()

    def softmax(self, x):
        return x.softmax(-1).detach()


def forward(parts, kind, w, x, attention=None):
    """Logits [n, classes] of prepared images; `attention` takes the weights of every block."""
    n, side, width = len(x), w[kind.patches + "weight"].shape[-1], w[kind.token].shape[-1]

    def dense(x, name):
        return parts.dense(x, w[name + "weight"].flatten(1), w[name + "bias"])

    def norm(x, name):
        return parts.norm(x, w[name + "weight"], w[name + "bias"], kind.epsilon)

    def attend(x, base):
        q, k, v = (part.unflatten(-1, (kind.heads, -1)).transpose(1, 2)
                   for part in dense(x, base + kind.packed).split(width, -1))
        each = parts.softmax(parts.product(parts.scale(q, (width // kind.heads) ** -0.5), k.transpose(2, 3)))
        if attention is not None:
            attention.append(each)
        return dense(parts.product(each, v).transpose(1, 2).flatten(2), base + kind.join)

    def feed(x, base):
        return dense(parts.activation(dense(x, base + kind.up), kind.activation), base + kind.down)

    patches = dense(F.unfold(x, side, stride=side).transpose(1, 2), kind.patches)
    x = parts.add(torch.cat([w[kind.token].expand(n, 1, width), patches], 1), w[kind.places].expand(n, -1, width))
    for i in range(kind.depth):
        base = kind.block.format(i)
        for part, name in zip((attend, feed), kind.norms):
            x = parts.add(x, part(norm(x, base + name) if kind.norm_first else x, base))
            x = x if kind.norm_first else norm(x, base + name)
    return dense(norm(x, kind.norm)[:, 0], kind.head)


# ---- relevance as a backward -------------------------------------------------------------------


def divide(r, z):
    return r / (z + torch.where(z >= 0, E, -E))


class GammaDense(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        y = F.linear(x, w, b)
        ctx.save_for_backward(x, w, y)
        return y

    @staticmethod
    def backward(ctx, r):
        x, w, y = ctx.saved_tensors
        plus, minus, up, down = w.clamp(min=0), w.clamp(max=0), x.clamp(min=0), x.clamp(max=0)
        out = 0
        for side, helping, hindering in ((y > 0, plus, minus), (y <= 0, minus, plus)):
            s = divide(r * side, y + 0.25 * (F.linear(up, helping) + F.linear(down, hindering)))
            out = out + x * (s @ w) + 0.25 * (up * (s @ helping) + down * (s @ hindering))
        return out, None, None


class Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a + b

    @staticmethod
    def backward(ctx, r):
        a, b = ctx.saved_tensors
        s = divide(r, a + b)
        return a * s, b * s


class Halves(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx, r):
        a, b = ctx.saved_tensors
        s = divide(r, a @ b) / 2
        return a * (s @ b.transpose(-2, -1)), b * (a.transpose(-2, -1) @ s)


class TaylorSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.softmax(-1)

    @staticmethod
    def backward(ctx, r):
        x, = ctx.saved_tensors
        return x * (r - x.softmax(-1) * r.sum(-1, keepdim=True))


class Pass(torch.autograd.Function):
    """Any function of numbers one by one, or of norms: relevance goes on as it is."""

    @staticmethod
    def forward(ctx, x, function):
        return function(x)

    @staticmethod
    def backward(ctx, r):
        return r, None


class Relevance(Plain):
    def dense(self, x, w, b):
        return GammaDense.apply(x, w, b)

    def norm(self, x, w, b, epsilon):
        return Pass.apply(x, lambda x: F.layer_norm(x, w.shape, w, b, epsilon))

    def activation(self, x, kind):
        return Pass.apply(x, getattr(F, kind))

    def add(self, a, b):
        return Share.apply(a, b)

    def product(self, a, b):
        return Halves.apply(a, b)

    def scale(self, x, factor):
        return Pass.apply(x, lambda x: x * factor)

    def softmax(self, x):
        return TaylorSoftmax.apply(x)


# ---- methods -----------------------------------------------------------------------------------


def enlarged(row, image):
    side = round((len(row) - 1) ** 0.5)
    cells = row[1:].reshape(1, 1, side, side)
    return F.interpolate(cells, image.shape[-2:], mode="bilinear", align_corners=False)[0]


def rollout(kind, w, image):
    attention = []
    forward(Plain(), kind, w, image[None], attention)
    whole = torch.eye(attention[0].shape[-1], dtype=image.dtype)
    for each in attention:
        whole = (0.5 * each[0].mean(0) + 0.5 * torch.eye(len(whole), dtype=image.dtype)) @ whole
    return enlarged(whole[0], image)


def gradient_rollout(kind, w, image):
    attention = []
    # The picture asks for derivatives, so that they reach the weights of attention.
    logits = forward(Plain(), kind, w, image[None].clone().requires_grad_(), attention)[0]
    slopes = torch.autograd.grad(logits.max(), attention)
    whole = torch.eye(attention[0].shape[-1], dtype=image.dtype)
    for each, slope in zip(attention, slopes):
        whole = whole + (each * slope)[0].clamp(min=0).mean(0) @ whole
    return enlarged(whole[0].detach(), image)


def lrp_transformer(kind, w, image):
    x = image[None].clone().requires_grad_()
    slope, = torch.autograd.grad(forward(Held(), kind, w, x).max(), x)
    return (x * slope)[0].detach()


def attnlrp(kind, w, image):
    x = image[None].clone().requires_grad_()
    logits = forward(Relevance(), kind, w, x)
    start = torch.where(logits == logits.max(), logits, 0 * logits).detach()
    return torch.autograd.grad(logits, x, start)[0][0]


METHODS = {"rollout": rollout, "gradient-rollout": gradient_rollout, "lrp-transformer": lrp_transformer,
           "attnlrp": attnlrp}

# ---- the program -------------------------------------------------------------------------------


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def pictures(folder):
    """Six pictures of CIFAR-10, prepared; the sheet has one a row."""
    run(PROGRAM, "image", os.path.join(DATA, "cifar10/cifar10_batch_0.png"), "-o", os.path.join(folder, "sheet.npy"))
    sheet = np.load(os.path.join(folder, "sheet.npy"))
    mean, std = np.array((0.4914, 0.4822, 0.4465)), np.array((0.2023, 0.1994, 0.2010))
    chosen = sheet.reshape(-1, 32, 32, 3)[:600:100]
    return ((chosen / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)


def thin_inputs(_):
    pixels = np.load(os.path.join(DATA, "reference/vit_thin.npz"))["pixels"]
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    return ((pixels - mean[:, None, None]) / std[:, None, None]).astype(np.float32)


def distance(found, wanted):
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def compare(name, kind, checkpoint, inputs, folder):
    """Of each method the median distance of the program, of PyTorch in float32, and the program's largest."""
    path = os.path.join(DATA, checkpoint)
    blob, out = os.path.join(folder, name + ".nw"), os.path.join(folder, name)
    run(sys.executable, "weights/convert.py", path, "--heads", str(kind.heads), "-o", blob)
    images = inputs(folder)
    np.save(os.path.join(folder, "images.npy"), images)
    run(PROGRAM, "attribute", "-m", blob, os.path.join(folder, "images.npy"), "--method", ",".join(METHODS), "--raw",
        "-o", out)
    single = torch.load(path, map_location="cpu")
    exact = {key: value.double() for key, value in single.items()}
    for method, function in METHODS.items():
        ours, theirs = [], []
        for i, image in enumerate(images):
            wanted = function(kind, exact, torch.tensor(image).double()).numpy()
            found = np.load(os.path.join(out, f"images-{i:04}-{method}-raw.npy"))
            assert found.shape == wanted.shape, (found.shape, wanted.shape)
            ours.append(distance(found, wanted))
            theirs.append(distance(function(kind, single, torch.tensor(image)).numpy(), wanted))
        yield method, statistics.median(ours), statistics.median(theirs), max(ours)


def main():
    networks = [("vit_cifar10", ENCODER, "weights/vit_cifar10/vit_cifar10.pth", pictures),
                ("vit_thin", VIT, "reference/vit_thin.pth", thin_inputs)]
    passed = failed = 0
    for name, kind, checkpoint, inputs in networks:
        if not os.path.exists(os.path.join(DATA, checkpoint)):
            print(SKIPPED.format("no " + checkpoint))
            return 0
        with tempfile.TemporaryDirectory() as folder:
            for method, ours, theirs, worst in compare(name, kind, checkpoint, inputs, folder):
                good = ours < max(1e-5, 2 * theirs) and worst < (1e-1 if method == "attnlrp" else 1e-5)
                passed, failed = passed + good, failed + (not good)
                print(f"  {method} of {name}: {ours:.1e} from float64 (PyTorch in float32 {theirs:.1e}), at most {worst:.1e}")
                print(f"{'ok     ' if good else 'FAILED '} transformer_maps.{method}_of_{name}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
