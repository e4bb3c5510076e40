"""Checkpoints for the converter's tests, built byte by byte so that writer and reader check each
other, and what runs those tests. The last line of a run is `N passed, N failed, N skipped`."""

import array
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
CONVERT = os.path.join(HERE, '..', 'weights', 'convert.py')
DATA = os.environ.get('NEMESIS_DATA') or os.path.join(HERE, '..', '..', 'shared', 'data')
FOLDER = tempfile.mkdtemp(prefix='nemesis-convert-')
EXIT_USAGE, EXIT_DATA, EXIT_NOT_FOUND, EXIT_CREATE = 2, 65, 66, 73

sys.path.insert(0, os.path.join(HERE, '..', 'weights'))


class Skip(Exception):
    """What the test needs is not on this machine."""


def path_of(name):
    return os.path.join(FOLDER, name)


def write(name, data):
    with open(path_of(name), 'wb') as file:
        file.write(data)
    return path_of(name)


def run(*arguments):
    """(exit code, stdout, stderr) of the converter as users start it."""
    done = subprocess.run([sys.executable, CONVERT, *arguments], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def read_blob(path):
    """{name: (shape, type, bytes)} and about, read from the format's description."""
    data = open(path, 'rb').read()
    assert data[:8] == b'\x89NWB\r\n\x1a\n'
    version, order, size, index, start, count, index_crc = struct.unpack_from('<IIQQQII', data, 8)
    assert (version, order, size, index) == (1, 0x01020304, len(data), 64)
    assert struct.unpack_from('<I', data, 60)[0] == zlib.crc32(data[:60])
    assert index_crc == zlib.crc32(data[64:64 + 192 * count]) and start == 64 + 192 * count
    tensors, names = {}, []
    for i in range(count):
        raw, kind, rank, a, b, c, d, offset, bytes_, crc, zero = struct.unpack_from(
            '<128sII4QQQII', data, 64 + 192 * i)
        name = raw.rstrip(b'\0').decode()
        assert offset % 64 == 0 and zero == 0 and offset == start
        assert zlib.crc32(data[offset:offset + bytes_]) == crc
        start = offset + -(-bytes_ // 64) * 64
        tensors[name] = ((a, b, c, d)[:rank], kind, data[offset:offset + bytes_])
        names.append(name)
    assert start == len(data) and names == sorted(names, key=str.encode)
    about = dict(line.split('=', 1) for line in tensors.pop('about')[2].decode().splitlines())
    return tensors, about


def floats(data):
    out = array.array('f')
    out.frombytes(data)
    return list(out)


# ---- a small network in every format -------------------------------------------------------------

LENET_SHAPES = [('conv11.weight', (2, 3, 3, 3)), ('conv11.bias', (2,)),
                ('conv12.weight', (2, 2, 3, 3)), ('conv12.bias', (2,)),
                ('conv21.weight', (3, 2, 3, 3)), ('conv21.bias', (3,)),
                ('conv22.weight', (3, 3, 3, 3)), ('conv22.bias', (3,)),
                ('fc1.weight', (4, 12)), ('fc1.bias', (4,)),
                ('fc2.weight', (5, 4)), ('fc2.bias', (5,))]


def product(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def values_of(name, shape):
    """Numbers that float16 and bfloat16 hold exactly: multiples of 1/8 below 16."""
    start = zlib.crc32(name.encode()) % 97
    return [((start + 7 * i) % 127 - 63) / 8 for i in range(product(shape))]


LENET = {name: (shape, values_of(name, shape)) for name, shape in LENET_SHAPES}


def pack(values, kind):
    if kind == 'bf16':
        return b''.join(struct.pack('<f', value)[2:] for value in values)
    return struct.pack(f"<{len(values)}{ {'f32': 'f', 'f64': 'd', 'f16': 'e'}[kind] }", *values)


def check_lenet(path, expected=None, kind='f32'):
    """The blob at `path` holds exactly the small network."""
    tensors, about = read_blob(path)
    want = expected or LENET
    assert set(tensors) == set(want), set(tensors) ^ set(want)
    for name, (shape, values) in want.items():
        assert tensors[name][0] == shape, name
        assert tensors[name][2] == pack(values, kind), name
    assert about['architecture'] == 'lenet' and about['width'] == '32'
    return about


def converts(name, *arguments):
    """Converts and returns the path of the blob."""
    out = path_of('out.nw')
    code, printed, errors = run(path_of(name), '-o', out, *arguments)
    assert code == 0, errors
    return out


# ---- pickles and the two containers of PyTorch ---------------------------------------------------

def text(value):
    return b'X' + struct.pack('<I', len(value.encode())) + value.encode()


def integer(value):
    return b'J' + struct.pack('<i', value)


def sequence(values):
    return b'(' + b''.join(integer(value) for value in values) + b't'


STORAGE = {'f32': 'FloatStorage', 'f16': 'HalfStorage', 'bf16': 'BFloat16Storage',
           'f64': 'DoubleStorage'}


def strides_of(shape):
    out, step = [], 1
    for size in reversed(shape):
        out.insert(0, step)
        step *= size
    return out


def tensor_pickle(key, shape, kind='f32', count=None, offset=0, strides=None, legacy=False,
                  identity=None):
    count = product(shape) if count is None else count
    identity = identity or (b'(' + text('storage') + b'ctorch\n' + STORAGE[kind].encode() + b'\n'
                            + text(key) + text('cpu') + integer(count) + (b'N' if legacy else b'')
                            + b't')
    return (b'ctorch._utils\n_rebuild_tensor_v2\n(' + identity + b'Q' + integer(offset)
            + sequence(shape) + sequence(strides_of(shape) if strides is None else strides)
            + b'\x89ccollections\nOrderedDict\n)RtR')


def state_pickle(tensors, kind='f32', legacy=False, prefix='', pickles=None):
    """A state_dict; `pickles` replaces the pickle of single tensors."""
    out = b'\x80\x02ccollections\nOrderedDict\n)R('
    for i, (name, (shape, _)) in enumerate(tensors.items()):
        out += text(prefix + name)
        out += (pickles or {}).get(name) or tensor_pickle(str(i), shape, kind, legacy=legacy)
    return out + b'u.'


def stored_zip(entries):
    """A ZIP archive as PyTorch writes it: stored, {name: data}."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def pth_entries(tensors, kind='f32', **options):
    entries = {'net/data.pkl': state_pickle(tensors, kind, **options)}
    for i, (_, values) in enumerate(tensors.values()):
        entries[f'net/data/{i}'] = pack(values, kind)
    entries['net/version'] = b'3\n'
    return entries


def pth(pickle=None, tensors=None, **options):
    entries = pth_entries(tensors or LENET, **options)
    if pickle is not None:
        entries['net/data.pkl'] = pickle
    return stored_zip(entries)


def legacy_pth(tensors=None, pickle=None, keys=None, counts=None, tail=b''):
    tensors = tensors or LENET
    keys = [str(i) for i in range(len(tensors))] if keys is None else keys
    out = b'\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.' + b'\x80\x02M\xe9\x03.'
    out += b'\x80\x02}(' + text('protocol_version') + b'M\xe9\x03' + text('little_endian') \
        + b'\x88' + b'u.'
    out += pickle or state_pickle(tensors, legacy=True)
    out += b'\x80\x02](' + b''.join(text(key) for key in keys) + b'e.'
    for i, (_, values) in enumerate(tensors.values()):
        out += struct.pack('<q', (counts or {}).get(i, len(values))) + pack(values, 'f32')
    return out + tail


# ---- the other formats ---------------------------------------------------------------------------

KIND_NAMES = {'f32': 'F32', 'f16': 'F16', 'bf16': 'BF16', 'f64': 'F64'}


def safetensors(tensors=None, kind='f32', change=None, tail=b''):
    header, data = {}, b''
    for name, (shape, values) in (tensors or LENET).items():
        part = pack(values, kind)
        header[name] = {'dtype': KIND_NAMES[kind], 'shape': list(shape),
                        'data_offsets': [len(data), len(data) + len(part)]}
        data += part
    header['__metadata__'] = {'format': 'pt'}
    if change:
        change(header)
    raw = json.dumps(header).encode()
    return struct.pack('<Q', len(raw)) + raw + data + tail


def npy(shape, data, descr='<f4', fortran=False, version=1, header=None):
    sizes = ', '.join(map(str, shape)) + (',' if len(shape) == 1 else '')
    text_ = header or f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({sizes}), }}"
    width = 2 if version == 1 else 4
    raw = text_.encode() + b' ' * (-(len(text_) + 9 + width) % 64) + b'\n'
    return (b'\x93NUMPY' + bytes([version, 0]) + len(raw).to_bytes(width, 'little') + raw + data)


def write_folder(name, tensors=None):
    shutil.rmtree(path_of(name), ignore_errors=True)
    os.mkdir(path_of(name))
    for tensor, (shape, values) in (tensors or LENET).items():
        write(f'{name}/{tensor}.npy', npy(shape, pack(values, 'f32')))
    return path_of(name)


def varint(value):
    out = b''
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def number_field(number, value):
    return varint(number << 3) + varint(value)


def onnx_tensor(name, shape, values):
    return (field(1, b''.join(varint(size) for size in shape)) + number_field(2, 1)
            + field(8, name.encode()) + field(9, pack(values, 'f32')))


def onnx(tensors=None, extra=b''):
    graph = b''.join(field(5, onnx_tensor(name, shape, values))
                     for name, (shape, values) in (tensors or LENET).items())
    return number_field(1, 8) + field(7, field(2, b'net') + graph) + extra


# A VGG of width 2 to 4 under the names of Caffe, Keras and torchvision.

VGG_CONVS = ['1_1', '1_2', '2_1', '2_2', '3_1', '3_2', '3_3', '4_1', '4_2', '4_3', '5_1', '5_2',
             '5_3']
VGG_PLACES = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
POOL = 7


def vgg16():
    """{torchvision name: (shape, values)}; 2 channels, head 98 - 4 - 4 - 3."""
    tensors, inputs = {}, 3
    for place in VGG_PLACES:
        tensors[f'features.{place}.weight'] = (2, inputs, 3, 3)
        tensors[f'features.{place}.bias'] = (2,)
        inputs = 2
    for place, shape in ((0, (4, 2 * POOL * POOL)), (3, (4, 4)), (6, (3, 4))):
        tensors[f'classifier.{place}.weight'] = shape
        tensors[f'classifier.{place}.bias'] = shape[:1]
    return {name: (shape, values_of(name, shape)) for name, shape in tensors.items()}


VGG = vgg16()


def swapped(shape, values):
    """The kernel for blue, green, red."""
    plane = shape[2] * shape[3]
    return [v for o in range(shape[0]) for c in (2, 1, 0)
            for v in values[(o * 3 + c) * plane:(o * 3 + c + 1) * plane]]


def caffe_name(name):
    base, part = name.rsplit('.', 1)
    kind, place = base.split('.')
    if kind == 'features':
        return 'conv' + VGG_CONVS[VGG_PLACES.index(int(place))], part
    return {'0': 'fc6', '3': 'fc7', '6': 'fc8'}[place], part


def caffe_blob(shape, values, legacy):
    if legacy:
        sizes = (1,) * (4 - len(shape)) + shape
        dims = b''.join(number_field(i + 1, size) for i, size in enumerate(sizes))
    else:
        dims = field(7, field(1, b''.join(varint(size) for size in shape)))
    return dims + field(5, pack(values, 'f32'))


def caffemodel(legacy=False, layers=None):
    out = field(1, b'VGG')
    names = list(VGG)
    for weight, bias in zip(names[0::2], names[1::2]):
        shape, values = VGG[weight]
        if shape[1] == 3:
            values = swapped(shape, values)
        blobs = [caffe_blob(shape, values, legacy), caffe_blob(*VGG[bias], legacy)]
        name = caffe_name(weight)[0].encode()
        if legacy:
            out += field(2, field(4, name) + b''.join(field(6, blob) for blob in blobs))
        else:
            out += field(100, field(1, name) + b''.join(field(7, blob) for blob in blobs))
    return out


def check_vgg(path, tensors=None, short='256'):
    found, about = read_blob(path)
    want = tensors or VGG
    assert set(found) == set(want), set(found) ^ set(want)
    for name, (shape, values) in want.items():
        assert found[name][0] == shape, name
        assert floats(found[name][2]) == values, name
    assert about['architecture'] == 'vgg16' and about['resize_short'] == short
    return about


def hwio(shape, values):
    o, i, h, w = shape
    return [values[((a * i + b) * h + y) * w + x] for y in range(h) for x in range(w)
            for b in range(i) for a in range(o)]


def keras_kernel(name, shape, values):
    if len(shape) == 4:
        if shape[1] == 3:
            values = swapped(shape, values)
        return (shape[2], shape[3], shape[1], shape[0]), hwio(shape, values)
    if name == 'classifier.0.weight':                  # rows run over (y, x, channel)
        order = [c * POOL * POOL + cell for cell in range(POOL * POOL) for c in range(2)]
    else:
        order = range(shape[1])
    return (shape[1], shape[0]), [values[o * shape[1] + i] for i in order for o in range(shape[0])]


def write_tensorflowjs(name, layers=16, split=None):
    shutil.rmtree(path_of(name), ignore_errors=True)
    os.mkdir(path_of(name))
    manifest, names = [], list(VGG)
    for group, (weight, bias) in enumerate(zip(names[0::2], names[1::2]), 1):
        base = caffe_name(weight)[0]
        base = {'fc6': 'fc1', 'fc7': 'fc2', 'fc8': 'predictions'}.get(base) \
            or f'block{base[4]}_conv{base[6:]}'
        shape, values = keras_kernel(weight, *VGG[weight])
        data = pack(values, 'f32') + pack(VGG[bias][1], 'f32')
        pieces = [data[:10], data[10:]] if group == split else [data]
        paths = [f'group{group}-shard{i + 1}of{len(pieces)}' for i in range(len(pieces))]
        if group <= layers:
            for piece, path in zip(pieces, paths):
                write(f'{name}/{path}', piece)
        manifest.append({'paths': paths, 'weights': [
            {'name': f'{base}/kernel', 'shape': list(shape), 'dtype': 'float32'},
            {'name': f'{base}/bias', 'shape': list(VGG[bias][0]), 'dtype': 'float32'}]})
    write(f'{name}/model.json', json.dumps({'weightsManifest': manifest}).encode())
    return path_of(name)


# ---- the runner ----------------------------------------------------------------------------------


def run_tests(suite, tests):
    """tests: [(name, function)]; words on the command line choose. Returns the exit code."""
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for name, test in tests:
        if wanted and not any(word in name for word in wanted):
            continue
        try:
            test()
            passed += 1
            print(f'ok      {suite}.{name}')
        except Skip as reason:
            skipped += 1
            print(f'skipped {suite}.{name}: {reason}')
        except Exception as error:                     # a test must not end the others
            failed += 1
            print(f'FAILED  {suite}.{name}: {type(error).__name__}: {str(error)[:500]}')
    shutil.rmtree(FOLDER, ignore_errors=True)
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


def tests_of(module):
    return [(name[5:], value) for name, value in sorted(module.items()) if name.startswith('test_')]
