"""Hostile checkpoints: refused with a sentence, quickly, and nothing in them is run."""

import collections
import io
import json
import os
import struct
import sys
import time
import zipfile
import zlib

sys.dont_write_bytecode = True

from checkpoints import (EXIT_DATA, LENET, VGG, caffe_blob, caffemodel, field, integer, legacy_pth,
                         npy, number_field, onnx, pack, path_of, pth, pth_entries, run, run_tests,
                         safetensors, state_pickle, stored_zip, tensor_pickle, tests_of, text,
                         varint, write, write_tensorflowjs)
import convert as converter
from readers import source


HOSTILE = {}


def hostile(name, ending, data, expect):
    HOSTILE[name] = (ending, data, expect)


def replaced(pickle_of_fc2bias):
    return pth(state_pickle(LENET, pickles={'fc2.bias': pickle_of_fc2bias}))


def patched(data, find, replacement, count=1):
    assert find in data
    return data.replace(find, replacement, count)


def with_header(change):
    return lambda header: header['fc2.bias'].update(change)


def local_header_differs():
    data = bytearray(pth())
    at = data.index(b'net/data/0')                     # the local name comes first
    data[at:at + 10] = b'net/data/9'
    return bytes(data)


def other_local_header():
    """The directory entry of the last tensor points at the header of the one before."""
    data = bytearray(pth())
    at, other = data.rindex(b'net/data/11') - 46, data.rindex(b'net/data/10') - 46
    data[at + 42:at + 46] = data[other + 42:other + 46]
    return bytes(data)


def zip_headers(name, data, offset):
    """Local header and directory entry of a stored entry at `offset`."""
    sizes = struct.pack('<3I2H', zlib.crc32(data), len(data), len(data), len(name), 0)
    return (b'PK\3\4' + struct.pack('<5H', 20, 0, 0, 0, 33) + sizes + name,
            b'PK\1\2' + struct.pack('<6H', 20, 20, 0, 0, 0, 33) + sizes + bytes(10)
            + struct.pack('<I', offset) + name)


def overlapping_zip():
    """An entry whose data holds a second entry, which the directory lists too."""
    inner = b'N.'
    local_inner, _ = zip_headers(b'net/data.pkl', inner, 0)
    outer = local_inner + inner
    local_outer, listed_outer = zip_headers(b'net/data/0', outer, 0)
    _, listed_inner = zip_headers(b'net/data.pkl', inner, len(local_outer))
    directory = listed_outer + listed_inner
    start = len(local_outer + outer)
    return local_outer + outer + directory + b'PK\5\6' + struct.pack(
        '<4H2IH', 0, 0, 2, 2, len(directory), start, 0)


def duplicated_entry():
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as archive:
        for name, data in pth_entries(LENET).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    data = out.getvalue()
    return patched(data, b'net/data/11', b'net/data/10', 2)


def compressed_pth():
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in pth_entries(LENET).items():
            archive.writestr(name, data)
    return out.getvalue()


def many_entries():
    entries = pth_entries(LENET)
    entries.update({f'net/extra/{i}': b'' for i in range(9000)})
    return stored_zip(entries)


def npz_of(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def declared_size(data, size):
    """The uncompressed size of the first entry, changed in both headers of an .npz."""
    out = bytearray(data)
    struct.pack_into('<I', out, 22, size)
    at = data.index(b'PK\1\2')
    struct.pack_into('<I', out, at + 24, size)
    return bytes(out)


def call(what):
    """A pickle that would call something if it were run."""
    return b'\x80\x02c' + what + b'\n(' + text('touch ' + path_of('owned')) + b'tR.'


def hostile_files():
    # pickles that call
    for name, what in (('os.system', b'os\nsystem'), ('posix.system', b'posix\nsystem'),
                       ('eval', b'builtins\neval'), ('exec', b'builtins\nexec'),
                       ('getattr', b'builtins\ngetattr'), ('import', b'builtins\n__import__'),
                       ('subprocess', b'subprocess\nPopen'), ('torch.load', b'torch\nload'),
                       ('runpy', b'runpy\nrun_path'), ('module class', b'__main__\nNet')):
        hostile(f'pickle: {name}', 'pth', pth(call(what)), 'makes, which is not run')
    hostile('pickle: INST', 'pth', pth(b'\x80\x02(' + text('x') + b'ios\nsystem\n.'), 'opcode 0x69')
    hostile('pickle: OBJ', 'pth', pth(b'\x80\x02(o.'), 'opcode 0x6f')
    hostile('pickle: EXT1', 'pth', pth(b'\x80\x02\x82\x01.'), 'opcode 0x82')
    hostile('pickle: NEWOBJ_EX', 'pth', pth(b'\x80\x04)}\x92.'), 'a value is missing')
    hostile('pickle: PERSID', 'pth', pth(b'\x80\x02Pabc\n.'), 'opcode 0x50')
    hostile('pickle: STACK_GLOBAL', 'pth', pth(b'\x80\x04\x8c\x02os\x8c\x06system\x93.'),
            'no dictionary')
    hostile('pickle: unknown opcode', 'pth', pth(b'\x80\x02\xff.'), 'opcode 0xff')
    hostile('pickle: call of a call', 'pth',
            pth(b'\x80\x02ccollections\nOrderedDict\n)R)R.'), 'a call of something')
    hostile('pickle: call of a text', 'pth', pth(b'\x80\x02' + text('os') + b')R.'),
            'a call of something')
    hostile('pickle: OrderedDict of a text', 'pth',
            pth(b'\x80\x02ccollections\nOrderedDict\n' + text('x') + b'\x85R.'), 'another kind')
    # pickles that misuse the stack
    hostile('pickle: items for a text', 'pth',
            pth(b'\x80\x02' + text('a') + text('k') + b'Ns.'), 'items for something')
    hostile('pickle: items for a tensor', 'pth',
            pth(b'\x80\x02' + tensor_pickle('0', (2, 3, 3, 3)) + text('k') + b'Ns.'), 'items for')
    hostile('pickle: elements for a dictionary', 'pth', pth(b'\x80\x02}Na.'), 'elements for')
    hostile('pickle: state for a list', 'pth', pth(b'\x80\x02]}b.'), 'a state for something')
    hostile('pickle: empty stack', 'pth', pth(b'\x80\x020.'), 'a value is missing')
    hostile('pickle: pop past a mark', 'pth', pth(b'\x80\x02(0.'), 'a value is missing')
    hostile('pickle: no mark', 'pth', pth(b'\x80\x02Nt.'), 'a mark is missing')
    hostile('pickle: memo never set', 'pth', pth(b'\x80\x02h\x07.'), 'never set')
    hostile('pickle: memo number of 4 billion', 'pth', pth(b'\x80\x02Nr\xff\xff\xff\xff.'),
            'over the limit')
    hostile('pickle: no end', 'pth', pth(b'\x80\x02N'), 'the file ends')
    hostile('pickle: text of 4 GB', 'pth', pth(b'\x80\x02X\xff\xff\xff\xffabc.'), 'the file ends')
    hostile('pickle: integer of 2 GB', 'pth', pth(b'\x80\x02\x8b\xff\xff\xff\x7f.'),
            'an integer of 2147483647 bytes')
    hostile('pickle: integer of 255 bytes', 'pth', pth(b'\x80\x02\x8a\xff' + bytes(255) + b'.'),
            'an integer of 255 bytes')
    hostile('pickle: endless stack', 'pth', pth(b'\x80\x02' + b'N' * 200000 + b'.'),
            'values are stacked')
    hostile('pickle: million operations', 'pth', pth(b'\x80\x02' + b'N0' * 600000 + b'N.'),
            'operations')
    hostile('pickle: deep nesting', 'pth', pth(b'\x80\x02' + b'N' + b'\x85' * 500000 + b'.'),
            'no dictionary')
    hostile('pickle: doubling tuples', 'pth',
            pth(b'\x80\x02N\x85' + b'q\x00h\x00\x86' * 60 + b'.'), 'no dictionary')
    hostile('pickle: list inside itself', 'pth', pth(b'\x80\x02]q\x00h\x00a.'), 'no dictionary')
    hostile('pickle: dictionary inside itself', 'pth',
            pth(b'\x80\x02}q\x00' + text('state_dict') + b'h\x00s.'), 'no dictionary')
    hostile('pickle: key twice', 'pth',
            pth(b'\x80\x02}(' + text('a') + b'N' + text('a') + b'Nu.'), 'for the second time')
    hostile('pickle: key that is a tuple', 'pth', pth(b'\x80\x02})Ns.'), 'no dictionary')
    hostile('pickle: odd number of items', 'pth', pth(b'\x80\x02}(' + text('a') + b'u.'),
            'a key without a value')
    hostile('pickle: no tensors', 'pth', pth(b'\x80\x02}.'), 'no dictionary of tensors')
    # tensors that lie
    hostile('tensor: larger than its storage', 'pth',
            replaced(tensor_pickle('11', (5000,), count=5)), 'its storage has 5')
    hostile('tensor: storage shorter than it says', 'pth',
            replaced(tensor_pickle('11', (5,), count=5000)), 'expected 20000')
    hostile('tensor: strides of 0', 'pth',
            replaced(tensor_pickle('11', (1 << 20,), count=5, strides=(0,))), 'its storage has 5')
    hostile('tensor: negative stride', 'pth',
            replaced(tensor_pickle('11', (5,), strides=(-1,))), 'another kind')
    hostile('tensor: negative size', 'pth', replaced(tensor_pickle('11', (-5,), count=5)),
            'another kind')
    hostile('tensor: negative offset', 'pth', replaced(tensor_pickle('11', (5,), offset=-4)),
            'another kind')
    hostile('tensor: offset past its storage', 'pth',
            replaced(tensor_pickle('11', (5,), offset=1)), 'its storage has 5')
    hostile('tensor: rank 9', 'pth', replaced(tensor_pickle('11', (1,) * 9, count=5)),
            'another kind')
    hostile('tensor: shape bomb', 'pth',
            replaced(tensor_pickle('11', (1 << 30, 1 << 30), count=5)), 'more than')
    hostile('tensor: strides without sizes', 'pth', replaced(tensor_pickle('11', (5,), strides=())),
            'another kind')
    hostile('tensor: storage of no kind', 'pth',
            replaced(tensor_pickle('11', (5,), identity=text('storage'))), 'of an unknown kind')
    hostile('tensor: no such storage', 'pth', replaced(tensor_pickle('99', (5,))), "no entry")
    hostile('tensor: path as storage', 'pth', replaced(tensor_pickle('../../etc/passwd', (5,))),
            'no entry')
    shared = {f'x{i}': ((500,), None) for i in range(3000)}
    bomb = state_pickle({**LENET, **shared},
                        pickles={name: tensor_pickle('big', (500,)) for name in shared})
    entries = {**pth_entries(LENET), 'net/data.pkl': bomb, 'net/data/big': bytes(2000)}
    hostile('tensor: one storage for thousands', 'pth', stored_zip(entries), 'share storages')
    # ZIP containers
    hostile('zip: compressed', 'pth', compressed_pth(), 'compressed, expected stored')
    hostile('zip: local header differs', 'pth', local_header_differs(), 'differs from its local')
    hostile('zip: header of another entry', 'pth', other_local_header(), 'differs from its local')
    hostile('zip: overlapping entries', 'pth', overlapping_zip(), 'overlap')
    hostile('zip: entry twice', 'pth', duplicated_entry(), 'is there twice')
    hostile('zip: 9000 entries', 'pth', many_entries(), 'the limit is 8192')
    hostile('zip: bytes after the directory', 'pth', pth() + b'x', 'bytes follow')
    hostile('zip: no directory', 'pth', pth()[:1000], 'no end of a ZIP directory')
    hostile('zip: changed data', 'pth',
            patched(pth(), pack(LENET['fc2.bias'][1], 'f32'), bytes(20)),
            'does not match its checksum')
    hostile('zip: encrypted', 'pth', patched(pth(), b'PK\1\2\x14\x03\x14\x00\x00\x00',
                                             b'PK\1\2\x14\x03\x14\x00\x01\x00'), 'is encrypted')
    hostile('zip: two pickles', 'pth',
            stored_zip({**pth_entries(LENET), 'other/data.pkl': b'N.'}), '2 entries data.pkl')
    hostile('zip: no pickle', 'pth', stored_zip({'net/version': b'3'}), '0 entries data.pkl')
    hostile('zip: big-endian', 'pth', stored_zip({**pth_entries(LENET), 'net/byteorder': b'big'}),
            'not little-endian')
    # the old container
    hostile('legacy: wrong magic', 'th', b'\x80\x02K\x01.' + legacy_pth()[17:], 'magic number')
    hostile('legacy: bare pickle', 'th', call(b'os\nsystem'), 'makes, which is not run')
    hostile('legacy: storage of another length', 'th', legacy_pth(counts={11: 4}), 'has 4 elements')
    hostile('legacy: storage of negative length', 'th', legacy_pth(counts={11: -1}), 'elements')
    hostile('legacy: storage twice', 'th',
            legacy_pth(keys=[str(min(i, 10)) for i in range(12)]), 'different texts')
    hostile('legacy: unknown storage', 'th', legacy_pth(keys=[str(i) for i in range(11)] + ['99']),
            'belongs to no tensor')
    hostile('legacy: storage left out', 'th', legacy_pth(keys=[str(i) for i in range(11)]),
            'bytes follow')
    hostile('legacy: bytes after the end', 'th', legacy_pth(tail=b'x'), '1 bytes follow')
    # safetensors
    hostile('safetensors: header of 2^63', 'safetensors', struct.pack('<Q', 1 << 63) + b'{}',
            'the limit is')
    hostile('safetensors: header past the end', 'safetensors', struct.pack('<Q', 1000) + b'{}',
            'are needed')
    hostile('safetensors: not JSON', 'safetensors', struct.pack('<Q', 4) + b'{"a"', 'not that of')
    hostile('safetensors: a list', 'safetensors', struct.pack('<Q', 2) + b'[]', 'not that of')
    hostile('safetensors: deep nesting', 'safetensors',
            struct.pack('<Q', 200000) + b'[' * 200000, 'not that of')
    hostile('safetensors: endless number', 'safetensors',
            struct.pack('<Q', 100005) + b'{"a":' + b'1' * 100000, 'not that of')
    raw = safetensors()
    length = int.from_bytes(raw[:8], 'little')
    twice = raw[8:8 + length].replace(b'"fc1.bias"', b'"fc2.bias"')
    hostile('safetensors: key twice', 'safetensors', raw[:8] + twice + raw[8 + length:], 'twice')
    hostile('safetensors: overlap', 'safetensors',
            safetensors(change=with_header({'data_offsets': [0, 20]})), 'expected [')
    hostile('safetensors: hole', 'safetensors', safetensors(tail=bytes(4)), 'bytes follow')
    hostile('safetensors: negative offset', 'safetensors',
            safetensors(change=with_header({'data_offsets': [-20, 0]})), 'expected [')
    hostile('safetensors: shape bomb', 'safetensors',
            safetensors(change=with_header({'shape': [1 << 20, 1 << 20]})), 'more than')
    hostile('safetensors: negative size', 'safetensors',
            safetensors(change=with_header({'shape': [-5]})), 'out of range')
    hostile('safetensors: fractional size', 'safetensors',
            safetensors(change=with_header({'shape': [5.0]})), 'out of range')
    hostile('safetensors: unknown type', 'safetensors',
            safetensors(change=with_header({'dtype': 'F8'})), "holds 'F8'")
    # .npy and .npz
    good = {name + '.npy': npy(shape, pack(values, 'f32'))
            for name, (shape, values) in LENET.items()}

    def spoiled(data):
        return npz_of({**good, 'fc2.bias.npy': data})

    hostile('npy: objects', 'npz', spoiled(npy((5,), bytes(40), '|O')), 'expected little-endian')
    hostile('npy: big-endian', 'npz', spoiled(npy((5,), bytes(20), '>f4')), "holds '>f4'")
    hostile('npy: code in the header', 'npz', spoiled(npy((5,), bytes(20), header=(
        "{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (5,), }"))),
        'not that of a plain array')
    hostile('npy: shape bomb', 'npz', spoiled(npy((1 << 31, 1 << 31), bytes(20))), 'more than')
    hostile('npy: too short', 'npz', spoiled(npy((5,), bytes(16))), 'its shape needs 20')
    hostile('npy: too long', 'npz', spoiled(npy((5,), bytes(24))), 'its shape needs 20')
    hostile('npy: header past the end', 'npz', spoiled(b'\x93NUMPY\1\0\xff\xff'), 'are needed')
    hostile('npy: header of 4 GB', 'npz', spoiled(b'\x93NUMPY\2\0\xff\xff\xff\xff'), 'the limit is')
    hostile('npy: version 9', 'npz', spoiled(b'\x93NUMPY\x09\0' + bytes(8)), 'version 9')
    hostile('npy: another file', 'npz', spoiled(b'PNG'), 'is not an .npy file')
    hostile('npy: 33 dimensions', 'npz', spoiled(npy((1,) * 33, bytes(4))), 'rank 33')
    bomb = npz_of({'a.npy': bytes(50 << 20)}, zipfile.ZIP_DEFLATED)
    hostile('npz: small size declared', 'npz', declared_size(bomb, 1000), 'another size')
    hostile('npz: huge size declared', 'npz', declared_size(bomb, 0xfffffff0), 'claims 4294967280')
    hostile('npz: zeros', 'npz', bomb, 'is not an .npy file')
    hostile('npz: not an array', 'npz', npz_of({'readme.txt': b'x'}), 'no .npy array')
    # protobuf
    hostile('onnx: endless number', 'onnx', b'\xff' * 20, 'cut short')
    hostile('onnx: message past the end', 'onnx', b'\x3a\xff\xff\xff\xff\x0f', 'are needed')
    hostile('onnx: group', 'onnx', b'\x08\x08\x3b', 'wire type 3')
    hostile('onnx: number as graph', 'onnx', number_field(7, 5), 'holds a number')
    hostile('onnx: external data', 'onnx', onnx(extra=field(7, field(5, field(8, b'w') + field(
        13, b'x')))), 'kept in another file')
    hostile('onnx: shape bomb', 'onnx', onnx(extra=field(7, field(5, field(1, varint(
        1 << 62)) + number_field(2, 1) + field(8, b'w') + field(9, b'')))), 'out of range')
    hostile('onnx: shorter than its shape', 'onnx', onnx(extra=field(7, field(5, field(1, varint(
        9)) + number_field(2, 1) + field(8, b'w') + field(9, bytes(4))))), 'its shape needs 36')
    hostile('onnx: million dimensions', 'onnx', onnx(extra=field(7, field(5, field(
        1, b'\x01' * 1000000)))), 'more than 16 dimensions')
    hostile('onnx: million fields', 'onnx', number_field(1, 1) * 1100000,
            'more than 1000000 fields')
    hostile('onnx: name of a megabyte', 'onnx', onnx(extra=field(7, field(5, field(
        8, b'x' * 1000000)))), 'the limit is 1024')
    hostile('onnx: empty', 'onnx', number_field(1, 8), 'no initialisers')
    hostile('caffe: empty', 'caffemodel', field(1, b'\0'), 'no layer with weights')
    hostile('caffe: three arrays', 'caffemodel', field(100, field(1, b'conv1_1') + field(
        7, caffe_blob((1,), [0.0], False)) * 3), '3 arrays')
    hostile('caffe: unpacked data', 'caffemodel', field(100, field(1, b'conv1_1') + field(
        7, b'\x2d' + bytes(4))), 'holds a number')
    hostile('caffe: layers within layers', 'caffemodel', field(100, field(1, b'a') + field(
        7, field(7, b'\xff' * 30))), 'cut short')


def plain_loop():
    """Seconds of processor time for plain steps: what a machine's time is measured in."""
    start, word = time.process_time(), 1
    for step in range(100000):
        word = (word * 31 + step) & 0xffffffff
    return time.process_time() - start


def check_hostile(name):
    ending, data, expect = HOSTILE[name]
    for left in (path_of('owned'), path_of('out.nw')):
        if os.path.exists(left):
            os.unlink(left)
    file = write('hostile.' + ending, data)
    unit = plain_loop()
    start = time.process_time()                        # others may be using the machine
    try:
        converter_check(file)
    except source.Refused as error:
        assert expect in str(error), f'said "{error}", expected "{expect}"'
    else:
        raise AssertionError('was accepted')
    times = (time.process_time() - start) / unit        # 300 for a million fields
    assert times < 1000, f'took {times:.0f} times the plain loop'
    assert not os.path.exists(path_of('owned')), 'ran something'
    assert not os.path.exists(path_of('out.nw')), 'left an output'


class Chosen:
    """Arguments as the command line would give them."""

    def __init__(self, file):
        self.input, self.output, self.arch, self.list = file, path_of('out.nw'), None, False
        self.dtype, self.fold_batchnorm = 'f32', False
        self.order = self.scale = self.mean = self.std = self.size = self.resize = None
        self.key = self.geometry = self.padding = self.heads = self.filter = None


def converter_check(file):
    """The whole conversion in this process: a hundred files do not take a hundred starts."""
    saved, sys.stdout = sys.stdout, io.StringIO()
    errors, sys.stderr = sys.stderr, io.StringIO()
    try:
        converter.convert(Chosen(file))
    finally:
        sys.stdout, sys.stderr = saved, errors


def test_hostile_files_from_the_command_line():
    """A sentence and exit code 65, never a trace."""
    for name in ('pickle: os.system', 'zip: overlapping entries', 'safetensors: deep nesting',
                 'npz: huge size declared', 'onnx: endless number'):
        ending, data, _ = HOSTILE[name]
        code, _, errors = run(write('hostile.' + ending, data), '-o', path_of('out.nw'))
        assert code == EXIT_DATA and errors.startswith('error: '), errors
        assert errors.count('\n') == 1 and 'Traceback' not in errors


def test_manifests_that_leave_their_folder():
    write_tensorflowjs('web')
    good = open(path_of('web/model.json')).read()
    for bad in ('../secret', '/etc/passwd', '..', 'a\\\\b', 'a\\u0000b', ''):
        write('web/model.json', good.replace('group1-shard1of1', bad).encode())
        code, _, errors = run(path_of('web'), '-o', path_of('out.nw'))
        assert code == EXIT_DATA and 'plain file name' in errors, (bad, errors)


def test_manifests_that_lie():
    write_tensorflowjs('web')
    good = json.load(open(path_of('web/model.json')))

    def refused(change, expect):
        manifest = json.loads(json.dumps(good))
        change(manifest['weightsManifest'][0]['weights'][0])
        write('web/model.json', json.dumps(manifest).encode())
        code, _, errors = run(path_of('web'), '-o', path_of('out.nw'))
        assert code == EXIT_DATA and expect in errors, errors

    refused(lambda w: w.update(shape=[3, 3, 3, 1]), 'the manifest says')
    refused(lambda w: w.update(shape=[3, 3, 3, 1 << 20]), 'are needed')
    refused(lambda w: w.update(shape=[3, 3, 3, -1]), 'out of range')
    refused(lambda w: w.update(shape=[3, 3, 3, 1 << 40]), 'out of range')
    refused(lambda w: w.update(dtype='uint8'), 'not plain float32')
    refused(lambda w: w.update(quantization={'scale': 1}), 'not plain float32')
    refused(lambda w: w.pop('name'), 'not a manifest')
    write('web/model.json', b'{')
    assert run(path_of('web'), '-o', path_of('out.nw'))[0] == EXIT_DATA


def all_tensors(file):
    return [tensor.open() for _, group in converter.read_input(file).groups for tensor in group]


def test_every_truncation():
    """Cut at every 64th byte, nothing is accepted and nothing but Refused is raised."""
    files = {'pth': pth(), 'th': legacy_pth(), 'safetensors': safetensors(),
             'npz': npz_of({name + '.npy': npy(shape, pack(values, 'f32'))
                            for name, (shape, values) in LENET.items()}),
             'onnx': onnx(), 'caffemodel': caffemodel()}
    for ending, data in files.items():
        for kept in range(0, len(data), 64):
            file = write('cut.' + ending, data[:kept])
            try:
                tensors = all_tensors(file)
            except source.Refused:
                continue
            # Protobuf without its last fields is a shorter message; then tensors must be missing.
            assert ending in ('onnx', 'caffemodel'), f'{ending} cut at {kept} was accepted'
            assert len(tensors) < len(LENET if ending == 'onnx' else VGG)


def test_every_flipped_byte():
    """Any byte changed: refused or read, never another exception and never a hang."""
    for ending, data in (('pth', pth()), ('th', legacy_pth()), ('safetensors', safetensors()),
                         ('onnx', onnx()), ('caffemodel', caffemodel())):
        for at in range(0, len(data), 7):
            changed = bytearray(data)
            changed[at] ^= 0xff
            try:
                tensors = all_tensors(write('flip.' + ending, bytes(changed)))
                assert sum(tensor.count for tensor in tensors) <= len(data)
            except source.Refused:
                pass


def run_hostile(suite, tests):
    """The tests and a check of every hostile file there is by now; the exit code."""
    listed = [(f'refuses "{name}"', lambda n=name: check_hostile(n)) for name in sorted(HOSTILE)]
    kinds = collections.Counter(name.split(':')[0] for name in HOSTILE)
    print('malformed kinds refused: '
          + ', '.join(f'{name} {count}' for name, count in sorted(kinds.items()))
          + f', {len(HOSTILE)} in all')
    return run_tests(suite, tests + listed)


if __name__ == '__main__':
    hostile_files()
    sys.exit(run_hostile('hostile', tests_of(globals())))
