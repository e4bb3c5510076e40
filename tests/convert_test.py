"""Tests of weights/convert.py: every format round trips, every hostile file is refused.

Plain Python 3; files are built byte by byte here, so writer and reader check each other. The last line
is `N passed, N failed, N skipped`."""

import array
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
CONVERT = os.path.join(HERE, '..', 'weights', 'convert.py')
DATA = os.environ.get('NEMESIS_DATA') or os.path.join(HERE, '..', '..', 'shared', 'data')
FOLDER = tempfile.mkdtemp(prefix='nemesis-convert-')
EXIT_USAGE, EXIT_DATA, EXIT_NOT_FOUND, EXIT_CREATE = 2, 65, 66, 73

sys.path.insert(0, os.path.join(HERE, '..', 'weights'))
sys.dont_write_bytecode = True
import architectures                                   # noqa: E402
import convert as converter                            # noqa: E402
from readers import source                             # noqa: E402


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


# ---- a small network in every format ----------------------------------------------------------------

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


# ---- pickles and the two containers of PyTorch --------------------------------------------------------

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


def test_zip_pth():
    write('a.pth', pth())
    about = check_lenet(converts('a.pth'))
    assert about['source'] == 'a.pth' and about['source_format'] == 'pth'
    assert about['source_sha256'] == hashlib.sha256(open(path_of('a.pth'), 'rb').read()).hexdigest()
    assert about['complete'] == 'yes' and about['bn'] == 'none' and about['resize_short'] == '0'


def test_legacy_pth():
    write('a.th', legacy_pth())
    check_lenet(converts('a.th'))


def test_other_element_types():
    for kind in ('f16', 'bf16', 'f64'):
        write('a.pth', pth(kind=kind))
        check_lenet(converts('a.pth'))


def test_prefixes_and_nesting():
    inner = state_pickle(LENET, prefix='module.model.')[2:-1]
    nested = (b'\x80\x02}(' + text('epoch') + integer(3) + text('best') + b'G' + bytes(8)
              + text('state_dict') + inner + text('optimizer') + b'}' + b'u.')
    write('a.pth.tar', pth(nested))
    check_lenet(converts('a.pth.tar'))


def test_inert_values_beside_the_tensors():
    inner = state_pickle(LENET)[2:-1]
    nested = (b'\x80\x02}(' + text('args') + b'cargparse\nNamespace\n)\x81}' + text('lr')
              + b'G' + bytes(8) + b'sb' + text('state_dict') + inner + b'u.')
    write('a.pth', pth(nested))
    check_lenet(converts('a.pth'))


def test_strided_and_offset_tensors():
    """fc2.weight stored transposed behind three other numbers."""
    entries = pth_entries(LENET, pickles={
        'fc2.weight': tensor_pickle('10', (5, 4), count=23, offset=3, strides=(1, 5))})
    values = LENET['fc2.weight'][1]
    turned = [values[row * 4 + column] for column in range(4) for row in range(5)]
    entries['net/data/10'] = pack([9, 9, 9] + turned, 'f32')
    write('a.pth', stored_zip(entries))
    check_lenet(converts('a.pth'))


def test_half_output():
    write('a.pth', pth())
    out = converts('a.pth', '--dtype', 'f16')
    assert check_lenet(out, kind='f16')['dtype'] == 'f16'


def test_counters_are_dropped():
    entries = pth_entries(LENET)
    counter = (b'ctorch._utils\n_rebuild_tensor_v2\n((' + text('storage') + b'ctorch\nLongStorage\n'
               + text('n') + text('cpu') + integer(1) + b'tQ' + integer(0) + b'))\x89N' + b'tR')
    entries['net/data.pkl'] = entries['net/data.pkl'][:-2] + text('bn.num_batches_tracked') \
        + counter + b'u.'
    entries['net/data/n'] = bytes(8)
    write('a.pth', stored_zip(entries))
    check_lenet(converts('a.pth'))


# ---- the other formats --------------------------------------------------------------------------------

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


def test_safetensors():
    for kind in KIND_NAMES:
        write('a.safetensors', safetensors(kind=kind))
        check_lenet(converts('a.safetensors'))


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


def test_folder_of_npy():
    write_folder('arrays')
    check_lenet(converts('arrays'))


def test_npz_stored_and_deflated():
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path_of('a.npz'), 'w', method) as archive:
            for name, (shape, values) in LENET.items():
                archive.writestr(name + '.npy', npy(shape, pack(values, 'f64'), '<f8', version=2))
        check_lenet(converts('a.npz'))


def test_fortran_order():
    write_folder('arrays')
    values = LENET['fc2.weight'][1]
    turned = [values[row * 4 + column] for column in range(4) for row in range(5)]
    write('arrays/fc2.weight.npy', npy((5, 4), pack(turned, 'f32'), fortran=True))
    check_lenet(converts('arrays'))


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


def test_onnx():
    write('a.onnx', onnx())
    check_lenet(converts('a.onnx'))


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


def check_vgg(path, tensors=None):
    found, about = read_blob(path)
    want = tensors or VGG
    assert set(found) == set(want), set(found) ^ set(want)
    for name, (shape, values) in want.items():
        assert found[name][0] == shape, name
        assert floats(found[name][2]) == values, name
    assert about['architecture'] == 'vgg16' and about['resize_short'] == '256'
    return about


def test_caffemodel_both_layouts():
    for legacy in (False, True):
        write('a.caffemodel', caffemodel(legacy))
        about = check_vgg(converts('a.caffemodel'))
        assert about['mean'] == '123.68,116.779,103.939' and about['std'] == '1,1,1'
        assert about['scale'] == '255'


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


def test_tensorflowjs():
    write_tensorflowjs('web', split=2)
    about = check_vgg(converts('web'))
    assert about['mean'] == '123.68,116.779,103.939' and about['scale'] == '255'
    check_vgg(converts('web/model.json'))


def test_first_layers_only():
    write_tensorflowjs('web', layers=7)
    out = path_of('out.nw')
    code, _, errors = run(path_of('web'), '-o', out)
    assert code == 0 and 'missing: features.17.weight, features.17.bias' in errors
    about = check_vgg(out, dict(list(VGG.items())[:14]))
    assert about['complete'] == 'no'


def test_places_names():
    renamed = {}
    for name, item in VGG.items():
        base, part = caffe_name(name)
        kind = 'features' if base.startswith('conv') else 'classifier'
        renamed[f"{kind}.{'fc8a' if base == 'fc8' else base}.{part}"] = item
    write('a.pth', pth(tensors=renamed))
    about = check_vgg(converts('a.pth'))
    assert about['mean'] == '0.485,0.456,0.406' and about['scale'] == '1'


def test_overrides():
    write('a.pth', pth(tensors=VGG))
    out = converts('a.pth', '--order', 'bgr', '--scale', '255', '--mean', '103.939,116.779,123.68',
                   '--std', '1,2,3', '--size', '192x160')
    first = dict(VGG)
    shape, values = VGG['features.0.weight']
    first['features.0.weight'] = (shape, swapped(shape, values))
    about = check_vgg(out, first)
    assert about['mean'] == '123.68,116.779,103.939' and about['std'] == '3,2,1'
    assert (about['width'], about['height'], about['scale']) == ('192', '160', '255')


# ---- batch norm and architectures ----------------------------------------------------------------------

def resnet20():
    net = architectures.resnet_option_a(20)
    widths = {'stage1': 2, 'stage2': 4, 'stage3': 8, 'classes': 3}
    tensors = {}
    for name, slot in net.slots.items():
        if name.endswith('.bias') and slot.base.rsplit('.')[-1].startswith('conv'):
            continue
        shape = tuple(size if isinstance(size, int) else
                      widths.get(size, 4 if size.startswith('layer2') else
                                 8 if size.startswith('layer3') else 2) for size in slot.shape)
        values = values_of(name, shape)
        if slot.part == 'running_var':
            values = [abs(value) + 0.5 for value in values]
        tensors[name] = (shape, values)
    return tensors


def test_folding():
    tensors = resnet20()
    write('a.safetensors', safetensors({'module.' + k: v for k, v in tensors.items()}))
    plain, about = read_blob(converts('a.safetensors'))
    assert about['bn'] == 'unfolded' and about['architecture'] == 'resnet20'
    folded, about = read_blob(converts('a.safetensors', '--fold-batchnorm'))
    assert about['bn'] == 'folded'
    assert not any('running' in name or '.bn' in name or name.startswith('bn') for name in folded)
    for conv, norm in (('conv1', 'bn1'), ('layer2.0.conv2', 'layer2.0.bn2')):
        weight, gamma, beta, mean, var = (floats(plain[f'{base}.{part}'][2]) for base, part in (
            (conv, 'weight'), (norm, 'weight'), (norm, 'bias'), (norm, 'running_mean'),
            (norm, 'running_var')))
        factor = [g / (v + 1e-5) ** 0.5 for g, v in zip(gamma, var)]
        step = len(weight) // len(gamma)
        for i, found in enumerate(floats(folded[f'{conv}.weight'][2])):
            assert abs(found - weight[i] * factor[i // step]) <= 1e-6 * abs(found) + 1e-12
        for c, found in enumerate(floats(folded[f'{conv}.bias'][2])):
            want = beta[c] - mean[c] * factor[c]
            assert abs(found - want) <= 1e-6 * (abs(beta[c]) + abs(mean[c] * factor[c]))


def test_folded_checkpoints_are_complete():
    tensors = resnet20()
    write('a.safetensors', safetensors(tensors))
    folded, _ = read_blob(converts('a.safetensors', '--fold-batchnorm'))
    again = {name: (shape, floats(data)) for name, (shape, _, data) in folded.items()}
    write('b.safetensors', safetensors(again))
    _, about = read_blob(converts('b.safetensors'))
    assert (about['bn'], about['complete']) == ('folded', 'yes')


def example(net):
    """Tensors of an architecture, each width 2 where it is free, without data: (name, shape)."""
    out = []
    for name, slot in net.slots.items():
        if name.endswith('.bias') and slot.excused_by and 'any' not in slot.excused_by \
                and len(slot.shape) == 1 and not slot.base.startswith('classifier'):
            if any(pair[0] == slot.base for pair in net.pairs):
                continue                               # a folded bias
        if slot.base == 'classifier' and 'any' in slot.excused_by:
            continue                                   # the other head of VGG
        shape = tuple(size if isinstance(size, int) else 2 * len(size) if isinstance(size, tuple)
                      else 98 if size == 'flat' else 2 for size in slot.shape)
        out.append(source.Tensor(name, shape, 'f32',
                                 source.memory_view(name, bytes(4 * product(shape)))))
    return out


def test_every_architecture_is_detected():
    for net in architectures.all_architectures():
        match = architectures.detect(example(net))
        assert match.net.name == net.name, f'{net.name} was taken for {match.net.name}'
        assert not match.missing and not match.extra, (net.name, match.missing, match.extra)


def test_chosen_architecture():
    write('a.pth', pth())
    code, _, errors = run(path_of('a.pth'), '-o', path_of('out.nw'), '--arch', 'resnet18')
    assert code == EXIT_DATA and 'resnet18' in errors
    code, _, errors = run(path_of('a.pth'), '-o', path_of('out.nw'), '--arch', 'resnet19')
    assert code == EXIT_DATA and 'expected one of vgg16' in errors
    check_lenet(converts('a.pth', '--arch', 'lenet'))


def test_extra_and_missing_are_listed():
    tensors = dict(LENET)
    del tensors['fc2.bias']
    tensors['head.weight'] = ((2,), [1.0, 2.0])
    write('a.pth', pth(tensors=tensors))
    code, _, errors = run(path_of('a.pth'), '-o', path_of('out.nw'))
    assert code == 0
    assert "1 tensors of lenet are missing: fc2.bias" in errors
    assert "1 tensors are not lenet's and were left out: head.weight" in errors


def test_misshapen_tensors_are_named():
    tensors = dict(LENET)
    tensors['conv12.weight'] = ((2, 3, 3, 3), [0.0] * 54)
    tensors['fc2.weight'] = ((5, 3), [0.0] * 15)
    write('a.pth', pth(tensors=tensors))
    code, _, errors = run(path_of('a.pth'), '-o', path_of('bad.nw'))
    assert code == EXIT_DATA and not os.path.exists(path_of('bad.nw'))
    assert "'conv12.weight' is 2x3x3x3, expected 2x2x3x3" in errors
    assert "'fc2.weight' is 5x3, expected 5x4" in errors


def test_cifar_vgg_is_prepared_for_cifar():
    net = architectures.vgg(16, True)
    tensors = example(net)
    for tensor in tensors:
        if tensor.name == 'classifier.0.weight':
            tensor.shape = (2, 2)
    match = architectures.detect(tensors)
    preparation = architectures.Preparation(match, 'pth')
    assert match.net.name == 'vgg16_bn' and preparation.width == 32
    assert preparation.mean == (0.4915, 0.4823, 0.4468)


# ---- the command ---------------------------------------------------------------------------------------

def test_list():
    write('a.pth', pth(kind='f16'))
    code, printed, errors = run(path_of('a.pth'), '--list')
    assert code == 0 and printed.splitlines()[0] == 'conv11.weight\tf16\t2x3x3x3'
    assert len(printed.splitlines()) == len(LENET)


def test_usage():
    write('a.pth', pth())
    for arguments in ([], [path_of('a.pth')], [path_of('a.pth'), '-o', 'x', '--mean', '1,2'],
                      [path_of('a.pth'), '-o', 'x', '--scale', '0'],
                      [path_of('a.pth'), '-o', 'x', '--size', '0'],
                      [path_of('a.pth'), '-o', 'x', '--std', '1,1,0']):
        assert run(*arguments)[0] == EXIT_USAGE, arguments


def test_exit_codes():
    code, _, errors = run(path_of('nothing.pth'), '-o', path_of('out.nw'))
    assert code == EXIT_NOT_FOUND and errors.startswith('error: ') and 'Traceback' not in errors
    write('a.pth', pth())
    code, _, errors = run(path_of('a.pth'), '-o', path_of('no/such/folder/out.nw'))
    assert code == EXIT_CREATE, (code, errors)
    write('a.xyz', b'')
    assert run(path_of('a.xyz'), '-o', path_of('out.nw'))[0] == EXIT_DATA


def test_nothing_is_left_behind():
    tensors = dict(LENET)
    tensors['fc2.bias'] = ((5,), [1.0, 2.0, float('nan'), 4.0, 5.0])
    write('a.pth', pth(tensors=tensors))
    before = sorted(os.listdir(FOLDER))
    code, _, errors = run(path_of('a.pth'), '-o', path_of('out.nw'))
    assert code == EXIT_DATA and "'fc2.bias' holds a NaN" in errors
    assert sorted(os.listdir(FOLDER)) == before


# ---- hostile files: refused with a sentence, quickly, without running anything ---------------------------

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
        hostile(f'pickle: {name}', 'pth', pth(call(what)), 'not among the names')
    hostile('pickle: INST', 'pth', pth(b'\x80\x02(' + text('x') + b'ios\nsystem\n.'), 'opcode 0x69')
    hostile('pickle: OBJ', 'pth', pth(b'\x80\x02(o.'), 'opcode 0x6f')
    hostile('pickle: EXT1', 'pth', pth(b'\x80\x02\x82\x01.'), 'opcode 0x82')
    hostile('pickle: NEWOBJ_EX', 'pth', pth(b'\x80\x04)}\x92.'), 'opcode 0x92')
    hostile('pickle: PERSID', 'pth', pth(b'\x80\x02Pabc\n.'), 'opcode 0x50')
    hostile('pickle: STACK_GLOBAL', 'pth', pth(b'\x80\x04\x8c\x02os\x8c\x06system\x93.'),
            'not among the names')
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
    hostile('pickle: key that is a tuple', 'pth', pth(b'\x80\x02})Ns.'), 'a key that is not')
    hostile('pickle: odd number of items', 'pth', pth(b'\x80\x02}(' + text('a') + b'u.'),
            'a key without a value')
    hostile('pickle: no tensors', 'pth', pth(b'\x80\x02}.'), 'no dictionary of tensors')
    # tensors that lie
    hostile('tensor: larger than its storage', 'pth', replaced(tensor_pickle('11', (5000,), count=5)),
            'its storage has 5')
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
            replaced(tensor_pickle('11', (5,), identity=text('storage'))), 'a storage of an unknown')
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
    hostile('zip: changed data', 'pth', patched(pth(), pack(LENET['fc2.bias'][1], 'f32'), bytes(20)),
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
    hostile('legacy: bare pickle', 'th', call(b'os\nsystem'), 'not among the names')
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
            safetensors(change=with_header({'dtype': 'F8'})), 'not known')
    # .npy and .npz
    good = {name + '.npy': npy(shape, pack(values, 'f32')) for name, (shape, values) in LENET.items()}

    def spoiled(data):
        return npz_of({**good, 'fc2.bias.npy': data})

    hostile('npy: objects', 'npz', spoiled(npy((5,), bytes(40), '|O')), 'expected little-endian')
    hostile('npy: big-endian', 'npz', spoiled(npy((5,), bytes(20), '>f4')), 'little-endian numbers')
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
    hostile('npz: not an array', 'npz', npz_of({'readme.txt': b'x'}), 'is not an array')
    # protobuf
    hostile('onnx: endless number', 'onnx', b'\xff' * 20, 'cut short')
    hostile('onnx: message past the end', 'onnx', b'\x3a\xff\xff\xff\xff\x0f', 'are needed')
    hostile('onnx: group', 'onnx', b'\x3b', 'wire type 3')
    hostile('onnx: number as graph', 'onnx', number_field(7, 5), 'holds a number')
    hostile('onnx: external data', 'onnx', onnx(extra=field(7, field(5, field(8, b'w') + field(
        13, b'x')))), 'kept in another file')
    hostile('onnx: shape bomb', 'onnx', onnx(extra=field(7, field(5, field(1, varint(
        1 << 62)) + number_field(2, 1) + field(8, b'w') + field(9, b'')))), 'out of range')
    hostile('onnx: shorter than its shape', 'onnx', onnx(extra=field(7, field(5, field(1, varint(
        9)) + number_field(2, 1) + field(8, b'w') + field(9, bytes(4))))), 'its shape needs 36')
    hostile('onnx: million dimensions', 'onnx', onnx(extra=field(7, field(5, field(
        1, b'\x01' * 1000000)))), 'more than 16 dimensions')
    hostile('onnx: million fields', 'onnx', number_field(1, 1) * 1100000, 'more than 1000000 fields')
    hostile('onnx: name of a megabyte', 'onnx', onnx(extra=field(7, field(5, field(
        8, b'x' * 1000000)))), 'the limit is 1024')
    hostile('onnx: empty', 'onnx', b'', 'no initialisers')
    hostile('caffe: empty', 'caffemodel', b'', 'no layer with weights')
    hostile('caffe: three arrays', 'caffemodel', field(100, field(1, b'conv1_1') + field(
        7, caffe_blob((1,), [0.0], False)) * 3), '3 arrays')
    hostile('caffe: unpacked data', 'caffemodel', field(100, field(1, b'conv1_1') + field(
        7, b'\x2d' + bytes(4))), 'holds a number')
    hostile('caffe: layers within layers', 'caffemodel', field(100, field(1, b'a') + field(
        7, field(7, b'\xff' * 30))), 'cut short')


def check_hostile(name):
    ending, data, expect = HOSTILE[name]
    for left in (path_of('owned'), path_of('out.nw')):
        if os.path.exists(left):
            os.unlink(left)
    file = write('hostile.' + ending, data)
    start = time.monotonic()
    try:
        converter_check(file)
    except source.Refused as error:
        assert expect in str(error), f'said "{error}", expected "{expect}"'
    else:
        raise AssertionError('was accepted')
    assert time.monotonic() - start < 10, 'took too long'
    assert not os.path.exists(path_of('owned')), 'ran something'
    assert not os.path.exists(path_of('out.nw')), 'left an output'


class Chosen:
    """Arguments as the command line would give them."""

    def __init__(self, file):
        self.input, self.output, self.arch, self.list = file, path_of('out.nw'), None, False
        self.dtype, self.fold_batchnorm = 'f32', False
        self.order = self.scale = self.mean = self.std = self.size = None


def converter_check(file):
    """The whole conversion in this process, so that a hundred files do not take a hundred starts."""
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
                tensors = converter.read_input(file)[1]
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
                tensors = converter.read_input(write('flip.' + ending, bytes(changed)))[1]
                assert sum(tensor.count for tensor in tensors) <= len(data)
            except source.Refused:
                pass


# ---- published files ------------------------------------------------------------------------------------

class Skip(Exception):
    pass


def published(relative):
    path = os.path.join(DATA, 'weights', relative)
    if not os.path.exists(path):
        raise Skip(f'no {relative}')
    out = path_of('real.nw')
    code, _, errors = run(path, '-o', out)
    assert code == 0, errors
    return read_blob(out), errors


def test_published_vgg16():
    (tensors, about), errors = published('vgg16_imagenet_conv1_1-conv3_3')
    assert about['architecture'] == 'vgg16' and about['mean'] == '123.68,116.779,103.939'
    first = floats(tensors['features.0.weight'][2])    # output 0, red: the last plane of BGR
    assert abs(first[2 * 9] - 0.42947057) < 1e-7       # its blue plane, now the third
    assert abs(floats(tensors['features.0.bias'][2])[0] - 0.73429835) < 1e-7
    assert 'features.17.weight' in errors


def test_published_resnet18():
    (tensors, about), errors = published('resnet18_imagenet_bnfolded')
    assert about['architecture'] == 'resnet18' and about['bn'] == 'folded' and len(tensors) == 38
    assert ('missing: layer4.0.conv1.weight, layer4.0.conv2.weight, layer4.1.conv1.weight, '
            'layer4.1.conv2.weight\n') in errors


def test_published_resnet50_v2():
    (tensors, about), errors = published('resnet50v2_imagenet_stage1-3')
    assert about['architecture'] == 'resnet50_v2' and about['bn'] == 'unfolded'
    assert tensors['layer3.0.downsample.weight'][0] == (1024, 512, 1, 1)
    assert tensors['layer2.3.conv3.weight'][0] == (512, 128, 1, 1)
    assert 'left out' not in errors


def test_published_squeezenet():
    (tensors, about), errors = published('squeezenet1.1_imagenet')
    assert about['architecture'] == 'squeezenet1.1' and about['complete'] == 'yes' and not errors


def test_published_cifar_resnets():
    for depth, file, values in ((20, 'resnet20-12fca82f.th', 271098),
                                (56, 'resnet56-4bfd9763.th', 857082)):
        (tensors, about), errors = published('cifar10_resnet/' + file)
        assert about['architecture'] == f'resnet{depth}' and about['complete'] == 'yes'
        assert sum(product(shape) for shape, _, _ in tensors.values()) == values
        assert not errors


# ---- the runner -----------------------------------------------------------------------------------------

def main():
    hostile_files()
    tests = [(name, value) for name, value in sorted(globals().items()) if name.startswith('test_')]
    tests += [(f'refuses "{name}"', lambda n=name: check_hostile(n)) for name in sorted(HOSTILE)]
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    for name, test in tests:
        if wanted and not any(word in name for word in wanted):
            continue
        try:
            test()
            passed += 1
            print(f'ok      convert.{name}')
        except Skip as reason:
            skipped += 1
            print(f'skipped convert.{name}: {reason}')
        except Exception as error:                     # a test must not end the others
            failed += 1
            print(f'FAILED  convert.{name}: {type(error).__name__}: {str(error)[:500]}')
    shutil.rmtree(FOLDER, ignore_errors=True)
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
