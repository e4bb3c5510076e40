#!/usr/bin/env python3
"""Maps and patterns of a small network against a walk through it written again, in NumPy and double.

The network is conv, conv, pool, conv, conv, pool, dense, dense with ReLU between; its weights are
drawn, thin and 16 pixels wide."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("NEMESIS", "./nemesis"))

try:
    import numpy as np
except ImportError:
    # Another Python 3 of this machine may have it.
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/bin"]:
        other = os.path.join(folder, "python3")
        if "MAPS_TEST_AGAIN" not in os.environ and os.access(other, os.X_OK) and \
                subprocess.run([other, "-c", "import numpy"], capture_output=True).returncode == 0:
            os.environ["MAPS_TEST_AGAIN"] = "yes"
            os.execv(other, [other, os.path.abspath(__file__)])
    print("  skipped: no Python 3 with NumPy, for a second walk of maps\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

import zlib  # noqa: E402

SIDE = 16
LAYERS = [("conv11", (4, 3, 3, 3)), ("conv12", (4, 4, 3, 3)), "pool", ("conv21", (6, 4, 3, 3)),
          ("conv22", (6, 6, 3, 3)), "pool", ("fc1", (12, 6 * 16)), ("fc2", (5, 12))]
MEAN, STD = (0.45, 0.5, 0.4), (0.25, 0.2, 0.3)

# ---- the network, in double --------------------------------------------------------------------


def patches(x):
    """[c, h, w] to [c * 9, h * w], zeros around."""
    c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return np.stack([padded[:, i:i + h, j:j + w] for i in range(3) for j in range(3)], 1).reshape(c * 9, h * w)


def unpatches(p, shape):
    """The adjoint of patches."""
    c, h, w = shape
    p, out = p.reshape(c, 9, h, w), np.zeros((c, h + 2, w + 2))
    for k in range(9):
        out[:, k // 3:k // 3 + h, k % 3:k % 3 + w] += p[:, k]
    return out[:, 1:-1, 1:-1]


class Linear:
    """A layer y = w x + b on any array x, as a product of matrices."""

    def __init__(self, name, weight, bias):
        self.name, self.weight, self.bias = name, weight, bias
        self.is_conv = weight.ndim == 4
        self.flat = weight.reshape(len(weight), -1)

    def columns(self, x):
        return patches(x) if self.is_conv else x.reshape(-1, 1)

    def forward(self, x, w=None):
        y = (self.flat if w is None else w) @ self.columns(x)
        return y.reshape((-1,) + x.shape[1:]) if self.is_conv else y.ravel()

    def back(self, s, shape, w=None):
        p = (self.flat if w is None else w).T @ s.reshape(len(self.flat), -1)
        return unpatches(p, shape) if self.is_conv else p.reshape(shape)

    def add(self, y, bias):
        return y + (bias[:, None, None] if self.is_conv else bias)


def pool(x):
    c, h, w = x.shape
    cells = x.reshape(c, h // 2, 2, w // 2, 2).transpose(0, 1, 3, 2, 4).reshape(c, h // 2, w // 2, 4)
    return cells.max(3), cells.argmax(3)


def unpool(r, index):
    c, h, w = r.shape
    cells = np.zeros((c, h, w, 4))
    np.put_along_axis(cells, index[..., None], r[..., None], 3)
    return cells.reshape(c, h, w, 2, 2).transpose(0, 1, 3, 2, 4).reshape(c, 2 * h, 2 * w)


def forward(layers, x):
    """What each layer reads, its value, and the logits."""
    trace = []
    for i, layer in enumerate(layers):
        if layer == "pool":
            y, index = pool(x)
            trace.append((x, index))
            x = y
            continue
        z = layer.add(layer.forward(x), layer.bias)
        trace.append((x, z))
        x = z if i + 1 == len(layers) else np.maximum(z, 0)
    return trace, x


# ---- walks back --------------------------------------------------------------------------------


def walk(layers, x, rule, start):
    trace, logits = forward(layers, x)
    k = int(logits.argmax())
    r = np.zeros_like(logits)
    r[k] = logits[k] if start == "value" else 1
    for i in range(len(layers) - 1, -1, -1):
        if layers[i] == "pool":
            r = unpool(r.reshape(trace[i + 1][0].shape), trace[i][1])
        else:
            r = rule(layers[i], trace[i][0], trace[i][1], r.reshape(trace[i][1].shape), i,
                     i + 1 == len(layers))
    return r


def guided(layer, x, z, r, i, is_last):
    r = r if is_last else np.maximum(r, 0) * (z >= 0)
    return layer.back(r, x.shape)


def with_patterns(patterns):
    def rule(layer, x, z, r, i, is_last):
        r = r if is_last else r * (z >= 0)
        return layer.back(r, x.shape, layer.flat * patterns[layer.name].reshape(layer.flat.shape))
    return rule


def z_plus(layer, x, z, r, i, is_last):
    plus, minus = np.maximum(layer.flat, 0), np.minimum(layer.flat, 0)
    if i > 0:
        s = r / (layer.forward(x, plus) + 1e-9)
        return x * layer.back(s, x.shape, plus)
    low = np.full_like(x, min(-m / d for m, d in zip(MEAN, STD)))
    high = np.full_like(x, max((1 - m) / d for m, d in zip(MEAN, STD)))
    s = r / (layer.forward(x) - layer.forward(low, plus) - layer.forward(high, minus) + 1e-9)
    return x * layer.back(s, x.shape) - low * layer.back(s, x.shape, plus) - high * layer.back(s, x.shape, minus)


def signed(z, size):
    return z + np.where(z >= 0, size, -size)


def epsilon(layer, x, z, r, i, is_last):
    return x * layer.back(r / signed(z, 1e-8), x.shape)


def gamma(layer, x, z, r, i, is_last):
    if not layer.is_conv:
        return epsilon(layer, x, z, r, i, is_last)
    w = layer.flat + 0.25 * np.maximum(layer.flat, 0)
    z = layer.add(layer.forward(x, w), layer.bias + 0.25 * np.maximum(layer.bias, 0))
    return x * layer.back(r / signed(z, 1e-6), x.shape, w)


def alpha_beta(layer, x, z, r, i, is_last):
    if not layer.is_conv:
        return epsilon(layer, x, z, r, i, is_last)
    plus, minus = np.maximum(layer.flat, 0), np.minimum(layer.flat, 0)
    up, down = np.maximum(x, 0), np.minimum(x, 0)
    out = 0
    for share, (a, b), bias in ((2, (plus, minus), np.maximum(layer.bias, 0)),
                                (-1, (minus, plus), np.minimum(layer.bias, 0))):
        s = share * r / signed(layer.add(layer.forward(up, a) + layer.forward(down, b), bias), 1e-8)
        out = out + up * layer.back(s, x.shape, a) + down * layer.back(s, x.shape, b)
    return out


def estimate(layers, images):
    """Patterns by their definition, image by image."""
    sums = {layer.name: [0, 0, 0, 0, 0] for layer in layers if layer != "pool"}
    for x in images:
        trace, _ = forward(layers, x)
        for i, layer in enumerate(layers):
            if layer == "pool":
                continue
            columns, y = layer.columns(trace[i][0]), trace[i][1].reshape(len(layer.flat), -1)
            c = np.ones_like(y) if i + 1 == len(layers) else (y > 0).astype(float)
            for k, part in enumerate((c.sum(1), y.sum(1), y.shape[1], c @ columns.T, (c * y) @ columns.T)):
                sums[layer.name][k] = sums[layer.name][k] + part
    patterns = {}
    for layer in layers:
        if layer == "pool":
            continue
        count, y, positions, x, xy = sums[layer.name]
        count = np.maximum(count, 1)[:, None]
        cov = xy / count - x / count * (y / positions)[:, None]
        seen = (layer.flat * cov).sum(1, keepdims=True)
        patterns[layer.name] = cov / np.where(seen == 0, 1, seen)
    return patterns


# ---- the program -------------------------------------------------------------------------------


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def png(path, pixels):
    h, w, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    head = w.to_bytes(4, "big") + h.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class World:
    """A blob of drawn weights, pictures, a prepared image, and the same in NumPy."""

    def __init__(self, folder):
        random = np.random.default_rng(7)
        self.folder, self.layers, tensors = folder, [], {}
        for layer in LAYERS:
            if layer == "pool":
                self.layers.append(layer)
                continue
            name, shape = layer
            weight = random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
            bias = random.normal(0, 0.1, shape[0]).astype(np.float32)
            tensors[name + ".weight"], tensors[name + ".bias"] = weight, bias
            self.layers.append(Linear(name, weight.astype(float), bias.astype(float)))
        np.savez(os.path.join(folder, "net.npz"), **tensors)
        self.blob = os.path.join(folder, "net.nw")
        run(sys.executable, "weights/convert.py", os.path.join(folder, "net.npz"), "--arch", "lenet",
            "--size", str(SIDE), "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)), "-o", self.blob)
        self.images = []
        for kind in ("a", "b"):
            os.makedirs(os.path.join(folder, "pictures", kind))
            for i in range(3):
                pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                png(os.path.join(folder, "pictures", kind, f"{i}.png"), pixels)
                mean, std = np.array(MEAN)[:, None, None], np.array(STD)[:, None, None]
                self.images.append((pixels.transpose(2, 0, 1) / 255 - mean) / std)
        self.image = self.images[1].astype(np.float32)
        np.save(os.path.join(folder, "image.npy"), self.image[None])

    def raw(self, method, mode, *more):
        out = os.path.join(self.folder, "maps")
        run(PROGRAM, "attribute", "-m", self.blob, os.path.join(self.folder, "image.npy"), "--method", method,
            "--compat", mode, "--raw", "--conv", "direct", "-o", out, "--overwrite", *more)
        return np.load(os.path.join(out, f"image-{method}-raw.npy")).astype(float)

    def walk(self, rule, start):
        return walk(self.layers, self.image.astype(float), rule, start)


def same(found, wanted, bound):
    error = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    assert found.shape == wanted.shape and error < bound, f"relative distance {error:.3g}"


def relevance_of_the_first_study(world):
    same(world.raw("lrp", "manipulated19"), world.walk(z_plus, "value"), 2e-6)


def relevance_of_the_second_study(world):
    for method, rule in (("lrp-epsilon", epsilon), ("lrp-gamma", gamma), ("lrp-alpha2beta1", alpha_beta)):
        same(world.raw(method, "aligned23"), world.walk(rule, "one"), 5e-4)


def guided_back_propagation(world):
    same(world.raw("guided", "manipulated19"), world.walk(guided, "value"), 2e-6)


def patterns_and_their_attribution(world):
    path = os.path.join(world.folder, "patterns.nw")
    run(PROGRAM, "patterns", "-m", world.blob, "-d", os.path.join(world.folder, "pictures"), "-o", path, "--overwrite",
        "--conv", "direct")
    patterns = estimate(world.layers, world.images)
    same(world.raw("pattern", "manipulated19", "--patterns", path), world.walk(with_patterns(patterns), "value"), 1e-4)


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        for test in (relevance_of_the_first_study, relevance_of_the_second_study, guided_back_propagation,
                     patterns_and_their_attribution):
            try:
                test(world)
                passed += 1
                print(f"ok      maps.{test.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"  {error}\nFAILED  maps.{test.__name__}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
