"""Hostile TorchScript archives, checkpoints of captioners and transformers that are not what they
say: each a sentence, and nothing runs."""

import io
import os
import struct
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (EXIT_DATA, LENET, integer, path_of, pth, run, safetensors,
                         stored_zip, tensor_pickle, tests_of, text, values_of, write)
from convert_hostile_test import HOSTILE, call, hostile, patched, run_hostile
from small_networks import scripted, small
from readers import source
import convert as converter


def module(state):
    """An object of TorchScript with the pickled items of its dictionary."""
    return b'c__torch__.net\nM\n)\x81}(' + state + b'ub'


def script(pickle, data=(), method=zipfile.ZIP_STORED):
    """An archive around a pickle; `data` are the storages' bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as archive:
        archive.writestr('net/data.pkl', b'\x80\x02' + pickle + b'.', method)
        for number, bytes_ in enumerate(data):
            archive.writestr(f'net/data/{number}', bytes_, method)
        archive.writestr('net/code/net.py', b'import os; os.system("false")' * 50,
                         zipfile.ZIP_DEFLATED)
        archive.writestr('net/constants.pkl', call(b'os\nsystem'))
    return out.getvalue()


def nested(depth):
    return (b'c__torch__.net\nM\n)\x81}(' + text('a')) * depth + b'N' + b'ub' * depth


def doubling(levels):
    """Each module holds the one before twice: 2^levels ways to the last."""
    out = module(text('t') + b'N') + b'q\x00'
    for _ in range(levels):
        out += b'0c__torch__.net\nM\n)\x81}(' + text('a') + b'h\x00' + text('b') + b'h\x00ubq\x00'
    return out


def inside_itself():
    return b'c__torch__.net\nM\n)\x81q\x00}(' + text('a') + b'h\x00ub'


def claimed(size):
    """The program's entry claims `size` bytes, in both of its headers."""
    data = bytearray(scripted(LENET))
    at = data.rindex(b'net/code/__torch__/net.py') - 46
    local = struct.unpack_from('<I', data, at + 42)[0]
    struct.pack_into('<I', data, at + 24, size)
    struct.pack_into('<I', data, local + 22, size)
    return bytes(data)


def archives():
    two = tensor_pickle('0', (2,))
    hostile('script: modules 40 deep', 'pt', script(nested(40)), 'more than 32 deep')
    hostile('script: module inside itself', 'pt', script(inside_itself()), 'more than 32 deep')
    hostile('script: doubling modules', 'pt', script(doubling(25)), 'more than 10000')
    hostile('script: no tensors', 'pt', script(module(text('training') + b'\x89')),
            'modules hold no tensors')
    hostile('script: compressed pickle', 'pt',
            script(module(text('w') + two), [bytes(8)], zipfile.ZIP_DEFLATED), 'is compressed')
    hostile('script: calls beside tensors', 'pt',
            script(module(text('w') + call(b'os\nsystem')[2:-1])), 'modules hold no tensors')
    hostile('script: a class that is none', 'pt', script(b'c__torch__\nM\n)R'), 'is not run')
    hostile('script: one name twice', 'pt',
            script(module(text('a.b') + two + text('a') + module(text('b') + two)), [bytes(8)]),
            "two tensors that are called 'a.b'")
    hostile('script: one key twice', 'pt', script(module((text('a') + two) * 2), [bytes(8)]),
            'for the second time')
    hostile('script: storage that is not there', 'pt',
            patched(scripted(LENET), b'net/data/0', b'net/data/x', 2), "no entry 'net/data/0'")
    hostile('script: storage of another size', 'pt',
            script(module(text('conv11.weight') + tensor_pickle('0', (2, 3, 3, 3))), [bytes(8)]),
            'has 8 bytes')
    hostile('script: path as storage', 'pt',
            script(module(text('conv11.weight') + tensor_pickle('../../0', (2, 3, 3, 3)))),
            "has no entry 'net/data/../../0'")
    hostile('script: program of 4 GB', 'pt', claimed(0xfffffff0), 'claims 4294967280 bytes')
    hostile('script: number without weights', 'pt', script(integer(7)), 'holds no dictionary')
    hostile('script: big-endian', 'pt', stored_zip(
        {'net/data.pkl': b'\x80\x02N.', 'net/byteorder': b'big', 'net/constants.pkl': b'N.'}),
            'not little-endian')


def pickles():
    long_ = b'X' + struct.pack('<I', (1 << 20) + 1)
    hostile('pickle: long text cut short', 'pth', pth(b'\x80\x02' + long_ + b'abc.'),
            'the file ends')
    hostile('pickle: long text as a name', 'pth',
            pth(b'\x80\x04' + text('os') + long_ + bytes((1 << 20) + 1) + b'\x93.'),
            'a name that is not a text')
    hostile('pickle: long text as a key', 'pth', pth(
        b'\x80\x02}(' + (long_ + bytes((1 << 20) + 1) + b'N') * 2 + b'u.'), 'no dictionary')
    hostile('pickle: 17 MB of texts', 'pth', pth(
        b'\x80\x02' + (b'X' + struct.pack('<I', 1 << 20) + bytes(1 << 20) + b'0') * 17 + b'N.'),
        'more than 16777216 bytes of texts')


def vision():
    return {name: item for name, item in small('vit').items()
            if not name.startswith('encoder.layers') or '_layer_0.' in name}


def transformers():
    whole = vision()
    layer = 'encoder.layers.encoder_layer_'
    ones = ((4,), [1.0] * 4)
    many = {**whole, **{f'{layer}{i}.ln_1.weight': ones for i in range(1, 300)}}
    hostile('transformer: 300 blocks', 'safetensors', safetensors(many), 'would change')
    hostile('transformer: block of a huge number', 'safetensors',
            safetensors({**whole, f"{layer}{'9' * 60}.ln_1.weight": ones}), 'would change')
    hostile('transformer: block without a number', 'safetensors',
            safetensors({**whole, f'{layer}x.ln_1.weight': ones}), 'would change')
    for name, shape, expect in (
            ('conv_proj.weight', (4, 3, 4, 2), 'is 4x3x4x2, expected 4x3x4x4'),
            ('encoder.pos_embedding', (5, 4), 'is 5x4, expected'),
            ('encoder.pos_embedding', (1, 7, 4), 'positions for 6 patches'),
            ('encoder.pos_embedding', (1, 1, 4), 'positions for 0 patches'),
            ('class_token', (4,), "'class_token' is 4, expected"),
            (layer + '0.self_attention.in_proj_weight', (11, 4), 'is 11x4, expected 12x4'),
            (layer + '0.self_attention.in_proj_bias', (13,), 'is 13, expected 12')):
        values = values_of(name, shape)
        hostile(f"transformer: {name} of {'x'.join(map(str, shape))}", 'safetensors',
                safetensors({**whole, name: (shape, values)}), expect)
    empty = {name: ((0, 3, 4, 4), []) if name == 'conv_proj.weight' else item
             for name, item in whole.items()}
    hostile('transformer: no kernels', 'safetensors', safetensors(empty), 'expected 0')
    hf = {name: item for name, item in whole.items() if not name.startswith(layer)}
    base = 'encoder.layer.0.attention.attention.'
    for part, shape in (('query', (4, 4)), ('key', (4, 4)), ('value', (3, 4))):
        hf[f'{base}{part}.weight'] = (shape, [1.0] * (shape[0] * 4))
    hostile('transformer: values of another shape', 'safetensors', safetensors(hf), 'would change')


def test_no_program_in_an_archive_is_read():
    """Neither code nor constants, whatever they hold, and whether they are what they say."""
    for name in ('net/code/__torch__/net.py', 'net/constants.pkl'):
        data = bytearray(scripted(LENET))
        at = data.index(name.encode()) + len(name)
        data[at:at + 8] = b'\xff' * 8
        out = path_of('out.nw')
        code, _, errors = run(write('a.pt', bytes(data)), '-o', out)
        assert code == 0 and 'nothing run' in errors, errors
        os.unlink(out)


def test_every_flipped_byte_of_an_archive():
    tensors = {name: item for name, item in LENET.items() if name.startswith('fc')}
    data = scripted({**tensors, 'conv11.weight': LENET['conv11.weight']})
    for at in range(0, len(data), 5):
        changed = bytearray(data)
        changed[at] ^= 0xff
        try:
            checkpoint = converter.read_input(write('flip.pt', bytes(changed)))
            opened = [tensor.open() for _, group in checkpoint.groups for tensor in group]
            assert sum(tensor.count for tensor in opened) <= len(data)
        except source.Refused:
            pass


def test_every_truncation_of_an_archive():
    data = scripted(LENET)
    for kept in range(0, len(data), 64):
        try:
            checkpoint = converter.read_input(write('cut.pt', data[:kept]))
        except source.Refused:
            continue
        raise AssertionError(f'cut at {kept} was accepted: {checkpoint.groups}')


def test_numbers_that_are_none_are_refused():
    names = {name: item for name, item in vision().items() if 'in_proj' not in name}
    base = 'encoder.layers.encoder_layer_0.self_attention.in_proj_'
    for part, shape in (('weight', (12, 4)), ('bias', (12,))):
        values = [1.0] * (12 * shape[-1] if part == 'weight' else 12)
        values[7] = float('inf')
        changed = {**names, base + part: (shape, values)}
        other = 'bias' if part == 'weight' else 'weight'
        changed[base + other] = vision()[base + other]
        code, _, errors = run(write('a.safetensors', safetensors(changed)), '-o',
                              path_of('out.nw'), '--heads', '2')
        assert code == EXIT_DATA and f"'{base + part}' holds a NaN or an infinity" in errors, errors
        assert not os.path.exists(path_of('out.nw'))


def test_sentences_from_the_command_line():
    for name in ('script: doubling modules', 'transformer: 300 blocks'):
        ending, data, _ = HOSTILE[name]
        code, _, errors = run(write('hostile.' + ending, data), '-o', path_of('out.nw'),
                              '--heads', '2')
        assert code == EXIT_DATA and errors.startswith('error: '), errors
        assert errors.count('\n') == 1 and 'Traceback' not in errors


if __name__ == '__main__':
    archives()
    pickles()
    transformers()
    sys.exit(run_hostile('hostile_transformer', tests_of(globals())))
