"""Writes a network of a weight blob as an ONNX model, by hand: the standard library is enough.

usage: onnx_model.py BLOB ARCH UPTO BATCH OUT
The input is `pixels`, [BATCH, 3, 224, 224] in 0..1; the output is `layer`. Field numbers are those of
onnx.proto3 (IR version 8, operator set 13)."""

import struct
import sys

import networks

FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def whole(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, list):
        return block(1, name) + b''.join(whole(8, v) for v in value) + whole(20, ATTRIBUTE_INTS)
    return block(1, name) + whole(3, value) + whole(20, ATTRIBUTE_INT)


def value_info(name, shape):
    dims = b''.join(block(1, whole(1, d)) for d in shape)
    return block(1, name) + block(2, block(1, whole(1, FLOAT) + block(2, dims)))


class Writer:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.initial, self.known = tensors, [], [], set()

    def tensor(self, name, dims, values):
        if name not in self.known:
            self.known.add(name)
            self.initial.append(b''.join(whole(1, d) for d in dims) + whole(2, FLOAT) + block(8, name)
                                + block(9, values))
        return name

    def weights(self, base):
        return [self.tensor(name, *self.tensors[name]) for name in (base + '.weight', base + '.bias')]

    def node(self, kind, inputs, **attributes):
        out = f'x{len(self.nodes)}'
        self.nodes.append(b''.join(block(1, i) for i in inputs) + block(2, out) + block(4, kind)
                          + b''.join(block(5, attribute(k, v)) for k, v in attributes.items()))
        return out

    def affine(self, x, scale, shift):
        factor = self.tensor('scale', [1, 3, 1, 1], struct.pack('<3f', *scale))
        term = self.tensor('shift', [1, 3, 1, 1], struct.pack('<3f', *shift))
        return self.node('Add', [self.node('Mul', [x, factor]), term])

    def conv(self, x, base, stride, pad):
        side = self.tensors[base + '.weight'][0][2]
        return self.node('Conv', [x] + self.weights(base), kernel_shape=[side] * 2,
                         strides=[stride] * 2, pads=[pad] * 4)

    def relu(self, x):
        return self.node('Relu', [x])

    def max_pool(self, x, side, stride, pad):
        return self.node('MaxPool', [x], kernel_shape=[side] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def add(self, x, y):
        return self.node('Add', [x, y])

    def mean(self, x):
        return self.node('GlobalAveragePool', [x])

    def flatten(self, x):
        return self.node('Flatten', [x], axis=1)

    def dense(self, x, base):
        return self.node('Gemm', [x] + self.weights(base), transB=1)


def model(path, arch, upto, batch):
    tensors, about = networks.read_blob(path)
    writer = Writer(tensors)
    last = networks.build(writer, arch, upto, 'pixels', about)
    shape = [batch, 512, 14, 14] if arch == 'vgg16' else [batch, 1000]
    writer.nodes.append(block(1, last) + block(2, 'layer') + block(4, 'Identity'))
    graph = (b''.join(block(1, node) for node in writer.nodes) + block(2, arch)
             + b''.join(block(5, tensor) for tensor in writer.initial)
             + block(11, value_info('pixels', [batch, 3, 224, 224]))
             + block(12, value_info('layer', shape)))
    return whole(1, 8) + block(7, graph) + block(8, block(1, '') + whole(2, 13))


def main():
    path, arch, upto, batch, out = sys.argv[1:]
    with open(out, 'wb') as file:
        file.write(model(path, arch, upto, int(batch)))


main()
