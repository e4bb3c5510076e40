"""Networks of a weight blob, for whoever offers their layers: PyTorch runs them, the ONNX writer lists
them. Standard library alone.

`make` has the methods input(name, shape), affine(x, scale, shift) on channels, conv(x, name, stride,
pad), relu(x), max_pool(x, side, stride, pad), add(x, y), mean(x) over a plane, flatten(x), dense(x, name).
Norms are folded into the convolutions, as the blob has them."""

import struct

VGG16 = [2, 2, 3, 3, 3]
RESNET50 = [3, 4, 6, 3]


def read_blob(path):
    """Name -> (dims, bytes of little-endian floats); and the lines of the text `about`."""
    with open(path, 'rb') as file:
        data = file.read()
    count, = struct.unpack_from('<I', data, 40)
    tensors, about = {}, {}
    for i in range(count):
        name, kind, rank, *rest = struct.unpack_from('<128sII4QQQI4x', data, 64 + 192 * i)
        dims, offset, size = rest[:rank], rest[4], rest[5]
        values = data[offset:offset + size]
        if kind == 1:
            tensors[name.rstrip(b'\0').decode()] = dims, values
        else:
            about = dict(line.split('=', 1) for line in values.decode().splitlines())
    return tensors, about


def prepared(make, x, about):
    """(x - mean) / std, in channels."""
    mean, std = ([float(word) for word in about[key].split(',')] for key in ('mean', 'std'))
    return make.affine(x, [1 / s for s in std], [-m / s for m, s in zip(mean, std)])


def vgg16(make, x, upto):
    place = 0
    for stage, count in enumerate(VGG16):
        for i in range(count):
            x = make.conv(x, f'features.{place}', 1, 1)
            if upto == f'conv{stage + 1}_{i + 1}':
                return x
            x = make.relu(x)
            place += 2
        x = make.max_pool(x, 2, 2, 0)
        place += 1
    if upto != 'logits':
        raise SystemExit(f'vgg16: no layer {upto}')
    x = make.flatten(x)
    for place in (0, 3):
        x = make.relu(make.dense(x, f'classifier.{place}'))
    return make.dense(x, 'classifier.6')


def resnet50(make, x, upto):
    x = make.max_pool(make.relu(make.conv(x, 'conv1', 2, 3)), 3, 2, 1)
    for stage, count in enumerate(RESNET50):
        for i in range(count):
            block, stride = f'layer{stage + 1}.{i}', 2 if stage > 0 and i == 0 else 1
            y = make.relu(make.conv(x, block + '.conv1', 1, 0))
            y = make.relu(make.conv(y, block + '.conv2', stride, 1))
            y = make.conv(y, block + '.conv3', 1, 0)
            if i == 0:
                x = make.conv(x, block + '.downsample.0', stride, 0)
            x = make.relu(make.add(y, x))
        if upto == f'layer{stage + 1}':
            return x
    return make.dense(make.flatten(make.mean(x)), 'fc')


def vit_b_16(make, x, upto):
    """PyTorch's runner alone has the methods tokens, norm, attention, gelu and pick."""
    x = make.tokens(x, 'conv_proj', 'class_token', 'encoder.pos_embedding')
    for i in range(12):
        block = f'encoder.layers.encoder_layer_{i}'
        x = make.add(x, make.attention(make.norm(x, block + '.ln_1'), block + '.self_attention', 12))
        y = make.gelu(make.dense(make.norm(x, block + '.ln_2'), block + '.mlp.0'))
        x = make.add(x, make.dense(y, block + '.mlp.3'))
    return make.dense(make.pick(make.norm(x, 'encoder.ln')), 'heads.head')


def layers(make, arch, upto, x):
    """Of a prepared image."""
    return {'vgg16': vgg16, 'resnet50': resnet50, 'vit_b_16': vit_b_16}[arch](make, x, upto)


def build(make, arch, upto, x, about):
    return layers(make, arch, upto, prepared(make, x, about))
