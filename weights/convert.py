#!/usr/bin/env python3
"""Turns a checkpoint into a weight blob (.nw) that says how to prepare an image.

    python3 weights/convert.py vgg16_places365-0bafbc55.pth -o vgg16.nw

Reads .pth/.pth.tar/.th (zip and legacy; nothing in them is run), .safetensors, .npz, a folder of
.npy, .caffemodel, TensorFlow.js weight groups and ONNX initialisers with Python's standard library
alone. The architecture is detected from names and shapes. Exit codes are those of nemesis."""

import array
import argparse
import hashlib
import math
import os
import struct
import sys

sys.dont_write_bytecode = True

from architectures import EPSILON, NORM_PARTS, Preparation, detect, usable
from blob import write_blob
from readers.arrays import read_folder, read_npz
from readers.pickled import read_pth
from readers.protobuf import read_caffemodel, read_onnx
from readers.safetensors import read_safetensors
from readers.source import Refused, file_view
from readers.tensorflowjs import read_tensorflowjs

EXIT_USAGE, EXIT_DATA, EXIT_NOT_FOUND, EXIT_MEMORY, EXIT_CREATE, EXIT_IO = 2, 65, 66, 71, 73, 74


def read_input(path):
    """(format, tensors) of whatever `path` is."""
    if os.path.isdir(path):
        manifest = os.path.join(path, 'model.json')
        if os.path.exists(manifest):
            return 'tensorflowjs', read_tensorflowjs(manifest)
        inner = os.path.join(path, 'weights')         # arrays beside their test data
        has_arrays = any(name.endswith('.npy') for name in os.listdir(path))
        return 'npy', read_folder(path if has_arrays or not os.path.isdir(inner) else inner)
    lower = path.lower()
    if lower.endswith('.json'):
        return 'tensorflowjs', read_tensorflowjs(path)
    view = file_view(path)
    for ending, format_name, reader in (('.safetensors', 'safetensors', read_safetensors),
                                        ('.npz', 'npz', read_npz),
                                        ('.caffemodel', 'caffemodel', read_caffemodel),
                                        ('.onnx', 'onnx', read_onnx)):
        if lower.endswith(ending):
            return format_name, reader(view)
    if lower.endswith(('.pth', '.pth.tar', '.th', '.pt', '.tar', '.ckpt', '.bin')):
        return 'pth', read_pth(view)
    raise Refused(f'{path}: its ending is none of .pth .pth.tar .th .pt .ckpt .bin .safetensors '
                  '.npz .caffemodel .onnx .json')


def source_digest(path):
    """SHA-256 of a file, or of the names and digests of a folder's files."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path)
                       if os.path.isfile(os.path.join(path, name)))
        lines = [f'{source_digest(os.path.join(path, name))}  {name}\n' for name in names]
        return hashlib.sha256(''.join(lines).encode()).hexdigest()
    sha = hashlib.sha256()
    for block in file_view(path).blocks():
        sha.update(block)
    return sha.hexdigest()


# ---- changes to the tensors ----------------------------------------------------------------------

def check_finite(name, block):
    """The top byte 0x7f or 0xff is rare, so numbers are looked at only where it occurs."""
    top = block[3::4]
    if (b'\x7f' in top or b'\xff' in top):
        values = array.array('f')
        values.frombytes(block)
        if not math.isfinite(sum(values)):            # a sum of finite floats cannot overflow
            raise Refused(f"'{name}' holds a NaN or an infinity")
    return block


def swap_first_channels(values, shape):
    """Blue, green, red -> red, green, blue on the input channels of [out, 3, h, w]."""
    plane = shape[2] * shape[3]
    out = array.array('f')
    for start in range(0, len(values), 3 * plane):
        for channel in (2, 1, 0):
            out += values[start + channel * plane:start + (channel + 1) * plane]
    return out


def flatten_channels_first(values, shape, channels):
    """Columns of a dense layer from (row, column, channel) to (channel, row, column)."""
    outputs, columns = shape
    out = array.array('f', bytes(4 * len(values)))
    cells = columns // channels
    for start in range(0, len(values), columns):
        row = values[start:start + columns]
        for channel in range(channels):
            at = start + channel * cells
            out[at:at + cells] = row[channel::channels]
    return out


def scale_rows(values, factors):
    step = len(values) // len(factors)
    for row, factor in enumerate(factors):
        at = row * step
        values[at:at + step] = array.array('f', [factor * v for v in values[at:at + step]])
    return values


def to_half(name, block):
    values = array.array('f')
    values.frombytes(block)
    try:
        return struct.pack(f'<{len(values)}e', *values)
    except OverflowError:
        raise Refused(f"'{name}' holds numbers too large for float16") from None


class Contents:
    """The tensors of the blob to be: {name: (shape, function that yields float32 blocks)}."""

    def __init__(self, match):
        self.match, self.items = match, {}
        for name, tensor in match.tensors.items():
            if tensor.kind not in ('f32', 'f16', 'bf16', 'f64'):
                raise Refused(f"'{tensor.name}' holds {tensor.kind}, "
                              'expected floating-point numbers')
            if len(tensor.shape) > 4 or 0 in tensor.shape:
                raise Refused(f"'{tensor.name}' is empty or has more than 4 dimensions")
            self.items[name] = (tensor.shape, tensor.blocks)

    def load(self, name):
        values = array.array('f')
        for block in self.items[name][1]():
            values.frombytes(block)
        return values

    def change(self, name, function):
        """From now on the tensor is function(its values, its shape), computed when written."""
        shape, blocks = self.items[name]

        def changed():
            values = array.array('f')
            for block in blocks():
                values.frombytes(block)
            yield function(values, shape).tobytes()

        self.items[name] = (shape, changed)

    def fold(self):
        """Makes one of every convolution and the batch norm that directly follows it."""
        for conv, norm in self.match.net.pairs:
            parts = [f'{norm}.{part}' for part in NORM_PARTS]
            if f'{conv}.weight' not in self.items or not all(p in self.items for p in parts):
                continue
            gamma, beta, mean, variance = map(self.load, parts)
            if not min(variance) + EPSILON > 0:
                raise Refused(f"'{norm}.running_var' holds a negative variance")
            bias = self.load(f'{conv}.bias') if f'{conv}.bias' in self.items else [0.0] * len(beta)
            factor = [g / math.sqrt(v + EPSILON) for g, v in zip(gamma, variance)]
            shift = array.array('f', [(b - m) * f + t
                                      for b, m, f, t in zip(bias, mean, factor, beta)])
            self.change(f'{conv}.weight', lambda values, _, f=factor: scale_rows(values, f))
            self.items[f'{conv}.bias'] = ((len(shift),), lambda s=shift: iter([s.tobytes()]))
            for part in parts:
                del self.items[part]

    def norm_state(self):
        if not self.match.net.pairs:
            return 'none'
        unfolded = any(f'{norm}.running_var' in self.items for _, norm in self.match.net.pairs)
        return 'unfolded' if unfolded else 'folded'

    def tensors(self, half):
        def finished(name, blocks):
            for block in blocks():
                check_finite(name, block)
                yield to_half(name, block) if half else block

        return [(name, shape, 'f16' if half else 'f32',
                 lambda n=name, b=blocks: finished(n, b))
                for name, (shape, blocks) in self.items.items()]


# ---- the command ---------------------------------------------------------------------------------

def triple(text):
    numbers = [float(part) for part in text.split(',')]
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"'{text}' is not three numbers separated by commas")
    return tuple(numbers)


def size(text):
    sides = [int(part) for part in text.lower().split('x')]
    if len(sides) not in (1, 2) or not all(1 <= side <= 65535 for side in sides):
        raise argparse.ArgumentTypeError(f"'{text}' is not a side or WIDTHxHEIGHT")
    return sides[0], sides[-1]


def arguments():
    parser = argparse.ArgumentParser(
        description='Turns a checkpoint into a weight blob.', allow_abbrev=False,
        epilog='example: convert.py resnet18_places365.pth.tar --fold-batchnorm -o resnet18.nw')
    parser.add_argument('input', metavar='INPUT', help='checkpoint file or folder')
    parser.add_argument('-o', '--output', metavar='FILE.nw')
    parser.add_argument('--arch', help='architecture (detected by default)')
    parser.add_argument('--list', action='store_true', help='print the tensors of INPUT')
    parser.add_argument('--dtype', choices=('f32', 'f16'), default='f32')
    parser.add_argument('--fold-batchnorm', action='store_true',
                        help='make one of each convolution and the batch norm after it')
    parser.add_argument('--order', choices=('rgb', 'bgr'),
                        help='channel order the first layer was trained with')
    parser.add_argument('--scale', type=float, help='factor on pixels in 0..1')
    parser.add_argument('--mean', type=triple, help="subtracted after scaling, in the net's order")
    parser.add_argument('--std', type=triple, help="divided by last, in the net's order")
    parser.add_argument('--geometry', choices=('torchvision', 'rounded'),
                        help='how the centre crop of a photo is rounded')
    parser.add_argument('--size', type=size, help='input side or WIDTHxHEIGHT')
    chosen = parser.parse_args()
    if not chosen.output and not chosen.list:
        parser.error('-o FILE.nw is missing')
    if chosen.scale is not None and not 1e-6 <= chosen.scale <= 1e6:
        parser.error('--scale is not in 0.000001 to 1000000')
    if chosen.std and not all(1e-6 <= value <= 1e6 for value in chosen.std):
        parser.error('--std is not in 0.000001 to 1000000')
    return chosen


def override(preparation, chosen):
    for key in ('order', 'scale', 'mean', 'std', 'geometry'):
        if getattr(chosen, key) is not None:
            setattr(preparation, key, getattr(chosen, key))
    if chosen.size:
        preparation.width, preparation.height = chosen.size
    return preparation


def numbers(values):
    return ','.join(f'{value:.9g}' for value in values)


def about_text(chosen, match, preparation, source_format, norm_state):
    rgb = -1 if preparation.order == 'bgr' else 1     # the blob speaks RGB
    lines = {'architecture': match.net.name, 'width': preparation.width,
             'height': preparation.height, 'resize_short': preparation.resize_short,
             'geometry': preparation.geometry,
             'scale': f'{preparation.scale:.9g}', 'mean': numbers(preparation.mean[::rgb]),
             'std': numbers(preparation.std[::rgb]), 'bn': norm_state, 'dtype': chosen.dtype,
             'complete': 'no' if match.missing else 'yes',
             'source': os.path.basename(os.path.abspath(chosen.input)),
             'source_format': source_format, 'source_sha256': source_digest(chosen.input)}
    text = ''.join(f'{key}={value}\n' for key, value in lines.items())
    return ''.join(c if c == '\n' or c.isprintable() else '?' for c in text).encode()


def note(text):
    print(f'note: {text}', file=sys.stderr)


def convert(chosen):
    source_format, tensors = read_input(chosen.input)
    if chosen.list:
        for tensor in tensors:
            print(f"{tensor.name}\t{tensor.kind}\t{'x'.join(map(str, tensor.shape)) or 'scalar'}")
        if not chosen.output:
            return
    match = detect(usable(tensors), chosen.arch)
    preparation = override(Preparation(match, source_format), chosen)
    contents = Contents(match)
    if preparation.order == 'bgr':
        contents.change(match.net.first, swap_first_channels)
    if source_format == 'tensorflowjs' and 'flat' in match.widths:
        channels = match.last_conv_width()
        contents.change(match.net.flat_name, lambda values, shape:
                        flatten_channels_first(values, shape, channels))
    if chosen.fold_batchnorm:
        contents.fold()
    about = about_text(chosen, match, preparation, source_format, contents.norm_state())
    out = contents.tensors(chosen.dtype == 'f16')
    out.append(('about', (len(about),), 'u8', lambda: [about]))
    write_blob(chosen.output, out)
    if match.missing:
        note(f"{len(match.missing)} tensors of {match.net.name} are missing: "
             + ', '.join(match.missing))
    if match.extra:
        note(f"{len(match.extra)} tensors are not {match.net.name}'s and were left out: "
             + ', '.join(match.extra))
    print(f'{chosen.output}: {match.net.name}, {len(out) - 1} tensors')


def main():
    if sys.byteorder != 'little':
        return 'this machine is not little-endian', EXIT_USAGE
    chosen = arguments()
    try:
        convert(chosen)
    except Refused as error:
        return str(error), EXIT_DATA
    except MemoryError:
        return f'{chosen.input}: out of memory', EXIT_MEMORY
    except OSError as error:
        place = error.filename or chosen.output
        is_output = chosen.output and str(place).startswith(chosen.output)
        code = EXIT_NOT_FOUND if not is_output else \
            EXIT_CREATE if error.filename else EXIT_IO
        return f'{place}: {error.strerror}', code
    return None, 0


if __name__ == '__main__':
    message, code = main()
    if message:
        message = ''.join(c if c.isprintable() else '?' for c in message)
        print(f'error: {message}', file=sys.stderr)
    sys.exit(code)
