#!/usr/bin/env python3
"""Turns a checkpoint into a weight blob (.nw) that says how to prepare an image.

    python3 weights/convert.py vgg16_places365-0bafbc55.pth -o vgg16.nw

Reads .pth/.pth.tar/.th (zip and legacy) and TorchScript archives, of which nothing is run,
.safetensors, .npz, a folder of .npy, of one of these or from a model hub, .caffemodel,
TensorFlow.js weight groups and ONNX initialisers with Python's standard library alone. The
architecture is detected from names and shapes. `--dtype f16` also takes a weight blob, as `nemesis
train` writes it, and halves it. Exit codes are those of nemesis."""

import argparse
import hashlib
import math
import os
import signal
import sys

sys.dont_write_bytecode = True

from about import about_text, particulars
from architectures import all_architectures
from checks import check_graph, epsilons, resolver
from contents import Contents, flatten_channels_first
from exported import unfolder
from hub import MOST_HEADS, is_ported
from hub_photos import hub_photos
from matching import detect, is_statistic, listed, plural
from narrow import is_blob, narrow
from output import EXIT_IO, Failed, check_output, is_stream, write_output
from preparation import LARGEST_SIDE, Preparation
from readers.arrays import read_folder, read_npz
from readers.identify import file_format
from readers.onnx import read_onnx
from readers.pickled import read_pth
from readers.protobuf import read_caffemodel
from readers.safetensors import read_safetensors
from readers.source import Checkpoint, Misused, Refused, file_view
from readers.tensorflowjs import read_tensorflowjs
from vocabulary import vocabulary_tensors

EXIT_USAGE, EXIT_DATA, EXIT_NOT_FOUND, EXIT_MEMORY, EXIT_INTERRUPTED, EXIT_PIPE = \
    2, 65, 66, 71, 130, 141
INSIDE = ('model.safetensors', 'pytorch_model.bin')    # of a folder from a model hub
CHECKPOINT_ENDINGS = ('.pth', '.pth.tar', '.th', '.pt', '.ckpt', '.safetensors', '.npz', '.onnx',
                      '.caffemodel')


def read_input(path):
    """The Checkpoint of whatever `path` is."""
    if os.path.isdir(path):
        return read_input_folder(path)
    view = file_view(path)
    format_name = file_format(view)
    if format_name == 'tensorflowjs':
        tensors, graph = read_tensorflowjs(path)
        return Checkpoint(format_name, [('', tensors)], graph=graph)
    if format_name == 'pth':
        groups, notes, beside = read_pth(view)
        return Checkpoint(format_name, groups, notes, beside=beside)
    if format_name == 'npz':
        tensors, others = read_npz(view)
        notes = [f'left out entries that are no arrays: {listed(others)}'] if others else []
        return Checkpoint(format_name, [('', tensors)], notes)
    if format_name == 'onnx':
        tensors, graph = read_onnx(view)
        return Checkpoint(format_name, [('', tensors)], graph=graph)
    reader = {'safetensors': read_safetensors, 'caffemodel': read_caffemodel}[format_name]
    return Checkpoint(format_name, [('', reader(view))])


def one_checkpoint(path):
    """The path of the one file of a folder that is named as a checkpoint, None without any."""
    names = sorted(name for name in os.listdir(path) if name.endswith(CHECKPOINT_ENDINGS))
    if len(names) > 1:
        raise Refused(f'{path}: holds {len(names)} checkpoints ({listed(names)}); give one of them')
    return os.path.join(path, names[0]) if names else None


def read_beside(folder, path):
    """The checkpoint at `path`, with what `folder` says about it."""
    checkpoint = read_input(path)
    checkpoint.folder = folder
    return checkpoint


def read_input_folder(path):
    manifest = os.path.join(path, 'model.json')
    if os.path.exists(manifest):
        tensors, graph = read_tensorflowjs(manifest)
        return Checkpoint('tensorflowjs', [('', tensors)], graph=graph)
    for name in INSIDE:
        if os.path.exists(os.path.join(path, name)):
            return read_beside(path, os.path.join(path, name))
    inner = os.path.join(path, 'weights')             # arrays beside their test data
    has_arrays = any(name.endswith('.npy') for name in os.listdir(path))
    if not has_arrays and not os.path.isdir(inner) and one_checkpoint(path):
        return read_beside(path, one_checkpoint(path))
    folder = path if has_arrays or not os.path.isdir(inner) else inner
    return Checkpoint('npy', [('', read_folder(folder))])


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


# ---- the command line ----------------------------------------------------------------------------

def triple(text):
    numbers_ = [float(part) for part in text.split(',')]
    if len(numbers_) != 3 or not all(map(math.isfinite, numbers_)):
        raise argparse.ArgumentTypeError(f"'{text}' is not three numbers separated by commas")
    return tuple(numbers_)


def size(text):
    sides = [int(part) for part in text.lower().split('x')]
    if len(sides) not in (1, 2) or not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise argparse.ArgumentTypeError(f"'{text}' is not a side or WIDTHxHEIGHT")
    return sides[0], sides[-1]


def resize(text):
    side = int(text)
    if not 0 <= side <= LARGEST_SIDE:
        raise argparse.ArgumentTypeError(f"'{text}' is not a side in 0 to {LARGEST_SIDE}")
    return side


def heads(text):
    count = int(text)
    if not 1 <= count <= MOST_HEADS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number in 1 to {MOST_HEADS}")
    return count


def arguments(words=None):
    parser = argparse.ArgumentParser(
        description='Turns a checkpoint into a weight blob.', allow_abbrev=False,
        epilog='example: convert.py resnet18_places365.pth.tar --fold-batchnorm -o resnet18.nw')
    parser.add_argument('input', metavar='INPUT', nargs='?', help='checkpoint file or folder')
    parser.add_argument('-o', '--output', metavar='FILE.nw')
    parser.add_argument('--arch', help='architecture (detected by default)')
    parser.add_argument('--key', metavar='NAME', help='which network of a checkpoint with several: '
                        'the key of its dictionary (state_dict_ema) or what its names begin with')
    parser.add_argument('--list', action='store_true', help='print the tensors of INPUT')
    parser.add_argument('--list-architectures', action='store_true',
                        help='print the architectures there are, with the layers to probe')
    parser.add_argument('--dtype', choices=('f32', 'f16'), default='f32')
    parser.add_argument('--fold-batchnorm', action='store_true',
                        help='make one of each convolution and the batch norm after it')
    parser.add_argument('--merges', metavar='FILE',
                        help='merges of a text network, to travel in the blob: '
                             'bpe_simple_vocab_16e6.txt.gz of CLIP, vocab.bpe, merges.txt')
    parser.add_argument('--vocabulary', metavar='FILE',
                        help='its ids: encoder.json, vocab.json (CLIP has them in its merges)')
    parser.add_argument('--order', choices=('rgb', 'bgr'),
                        help='channel order the first layer was trained with')
    parser.add_argument('--scale', type=float, help='factor on pixels in 0..1')
    parser.add_argument('--mean', type=triple, help="subtracted after scaling, in the net's order")
    parser.add_argument('--std', type=triple, help="divided by last, in the net's order")
    parser.add_argument('--size', type=size, help='input side or WIDTHxHEIGHT')
    parser.add_argument('--resize', type=resize, metavar='SIDE',
                        help='short side of a photo before the centre is cut out (256/224 of the '
                             'size by default); 0: resize straight to the size')
    parser.add_argument('--geometry', choices=('torchvision', 'rounded'),
                        help='how the centre crop of a photo is rounded (torchvision by default)')
    parser.add_argument('--filter', choices=('bilinear', 'bicubic'),
                        help='of the resize (bilinear by default, CLIP: bicubic)')
    parser.add_argument('--padding', choices=('torch', 'same'),
                        help="zeros around windows of stride 2: as torchvision has them, or as "
                             "TensorFlow's SAME (detected where the file says it)")
    parser.add_argument('--heads', type=heads, metavar='N',
                        help='attention heads of a transformer (its width / 64 by default)')
    chosen = parser.parse_args(words)
    if chosen.list_architectures:
        return chosen
    if not chosen.input:
        parser.error('INPUT is missing')
    if not chosen.output and not chosen.list:
        parser.error('-o FILE.nw is missing')
    if chosen.scale is not None and not 1e-6 <= chosen.scale <= 1e6:
        parser.error('--scale is not in 0.000001 to 1000000')
    if chosen.std and not all(1e-6 <= value <= 1e6 for value in chosen.std):
        parser.error('--std is not in 0.000001 to 1000000')
    return chosen


# ---- what is printed -----------------------------------------------------------------------------

def print_architectures():
    for net in all_architectures():
        size_ = f'{net.size}x{net.size}' if net.reads == 'pixels' else 'texts'
        print(f"{net.name}\t{size_}\t{' '.join(net.layers)}")


def print_tensors(checkpoint, key):
    """Those of the dictionary that is meant, or all with their dictionary in front."""
    try:
        group = detect(checkpoint.groups, key=key)[0].group
    except Refused:
        group = checkpoint.groups[0][0] if len(checkpoint.groups) == 1 else None
    for path, tensors in checkpoint.groups:
        for tensor in tensors if group in (None, path) else ():
            name = f'{path}.{tensor.name}' if group is None and path else tensor.name
            print(f"{name}\t{tensor.kind}\t{'x'.join(map(str, tensor.shape)) or 'scalar'}")


def note(text):
    text = ''.join(c if c.isprintable() else '?' for c in text)
    print(f'note: {text}', file=sys.stderr)


def about_of(chosen, match, preparation, checkpoint, contents, padding, keys):
    """The keys of `about`; None is left out: so are those that are as they always were."""
    return {'architecture': match.net.name, **preparation.keys(), 'bn': contents.norm_state(),
            'dtype': chosen.dtype,
            'complete': 'no' if match.missing else 'yes',
            'source': os.path.basename(os.path.abspath(chosen.input)),
            'source_format': checkpoint.format, 'source_sha256': source_digest(chosen.input),
            'padding': None if padding == 'torch' else padding,
            'bn_epsilon': contents.bn_epsilon(),
            **keys}


def leftover_notes(candidate, others):
    """What was not taken, and why that is no harm."""
    match, notes = candidate.match, []
    if match.missing:
        notes.append(f'{plural(len(match.missing))} of {match.net.name} '
                     f"{'is' if len(match.missing) == 1 else 'are'} missing: "
                     + listed(match.missing))
    behind = [name for name, tensor in match.extra.items()
              if tensor.is_number and not is_statistic(name)]
    others_inside = [name for name, tensor in (*match.extra.items(), *candidate.outside.items())
                     if not tensor.is_number]
    if behind:
        notes.append(f'{plural(len(behind))} behind the layers of {match.net.name} (another head) '
                     f"{'was' if len(behind) == 1 else 'were'} left out: {listed(behind)}")
    if candidate.outside:
        outside = [name for name, tensor in candidate.outside.items()
                   if tensor.is_number and not is_statistic(name)]
        if outside:
            notes.append(f'{plural(len(outside))} outside the network '
                         f"{'was' if len(outside) == 1 else 'were'} left out: {listed(outside)}")
    if others_inside:
        notes.append('what is no number was left out: ' + listed(others_inside))
    if others:
        keys = listed(f"'{other.key}' ({other.match.net.name})" for other in others)
        at = f"'{candidate.key}'" if candidate.key else 'the outermost one'
        notes.append(f'took the network at {at}; there is also {keys}, which --key NAME takes '
                     'instead')
    return notes


# ---- the conversion ------------------------------------------------------------------------------

def padding_of(chosen, checkpoint, net, said):
    """How windows are padded; `said` is how the file's graph has it, or None."""
    if chosen.padding and said and chosen.padding != said:
        raise Misused(f'{chosen.input}: its windows are padded as --padding {said} has it, '
                      f'not as --padding {chosen.padding}')
    if checkpoint.graph is None and net.ported_epsilon and \
            is_ported(checkpoint.folder, chosen.input):
        said = 'same'
    return chosen.padding or said or 'torch'


def convert(chosen):
    if chosen.output:
        check_output(chosen.output, chosen.input)
    if chosen.dtype == 'f16' and chosen.output and is_blob(chosen.input):
        write_output(chosen.output, narrow(chosen.input))
        return
    checkpoint = read_input(chosen.input)
    if chosen.list:
        print_tensors(checkpoint, chosen.key)
        if not chosen.output:
            return
    try:
        candidate, others = detect(checkpoint.groups, chosen.arch, chosen.key,
                                   resolver(checkpoint.graph), unfolder(checkpoint.graph))
        match = candidate.match
        padding = check_graph(checkpoint.graph, match)
    except Refused as refused:
        raise Refused(f'{chosen.input}: {refused}') from None
    padding = padding_of(chosen, checkpoint, match.net, padding)
    preparation = Preparation(match, checkpoint.format)
    around = {**candidate.outside, **match.extra}
    preparation.take_settings(*hub_photos(checkpoint.folder))
    notes = preparation.take_statistics(around)
    try:
        preparation.override(chosen)
        preparation.check_patches()
        keys, more, more_notes = particulars(match, checkpoint, chosen.heads)
    except (Refused, Misused) as refused:
        raise type(refused)(f'{chosen.input}: {refused}') from None
    notes += more_notes
    contents = Contents(match)
    contents.set_epsilons(epsilons(checkpoint.graph, match, padding))
    if checkpoint.graph is None and match.net.norms and \
            (checkpoint.format == 'tensorflowjs' or match.net.ported_epsilon):
        notes.append('the file does not say the epsilon of its batch norms nor how it pads; '
                     f'{contents.epsilon:g} and --padding {padding} were assumed')
    if preparation.order == 'bgr':
        contents.take_rgb()
    if checkpoint.format == 'tensorflowjs' and 'flat' in match.widths:
        channels = match.last_conv_width()
        contents.change(match.net.flat_name, lambda values, shape:
                        flatten_channels_first(values, shape, channels))
    if chosen.fold_batchnorm:
        contents.fold()
    about = about_text(about_of(chosen, match, preparation, checkpoint, contents,
                                padding, keys))
    out = contents.tensors(chosen.dtype == 'f16') + more
    out.append(('about', (len(about),), 'u8', lambda: [about]))
    out += vocabulary_tensors(chosen.merges, chosen.vocabulary, match.net,
                              match.widths.get('words'))
    write_output(chosen.output, out)
    for text in checkpoint.notes + leftover_notes(candidate, others) + notes:
        note(text)
    if preparation.text(chosen):
        note(preparation.text(chosen))
    print(f'{chosen.output}: {match.net.name}, {len(out) - 1} tensors',
          file=sys.stderr if is_stream(chosen.output) else sys.stdout)


def run(chosen):
    """(sentence or None, exit code)."""
    try:
        if chosen.list_architectures:
            print_architectures()
        else:
            convert(chosen)
    except Refused as error:
        return str(error), EXIT_DATA
    except Misused as error:
        return str(error), EXIT_USAGE
    except Failed as error:
        return error.args
    except MemoryError:
        return f'{chosen.input}: out of memory', EXIT_MEMORY
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:                    # only standard output has no name
            return f'standard output: {error.strerror}', EXIT_IO
        return f'{error.filename}: {error.strerror}', EXIT_NOT_FOUND
    return None, 0


def main():
    if sys.byteorder != 'little':
        return 'this machine is not little-endian', EXIT_USAGE
    message, code = run(arguments())
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message, code = message or f'standard output: {error.strerror}', code or EXIT_IO
    return message, code


def close_quietly():
    """Python flushes once more at its end; there is no one to tell."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def stop(number, _):
    """Ended from outside: what was begun is removed on the way out."""
    sys.exit(128 + number)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, stop)
    try:
        message, code = main()
        if message:
            message = ''.join(c if c.isprintable() else '?' for c in message)
            print(f'error: {message}', file=sys.stderr)
        sys.stderr.flush()
    except BrokenPipeError:                           # the reader has seen enough
        close_quietly()
        code = EXIT_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    if code == EXIT_IO:
        close_quietly()
    sys.exit(code)
