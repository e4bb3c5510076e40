"""Small networks for the converter's tests: every architecture with widths of 4, also as ONNX
graphs and Keras models, and what converts them and says what came of it."""

import io
import json
import os
import struct
import zipfile

from checkpoints import (DATA, EXIT_DATA, HERE, Skip, field, floats, number_field, onnx_tensor,
                         pack, path_of, read_blob, run, safetensors, tensor_pickle, text, values_of,
                         varint, write)
import architectures
NEMESIS = os.environ.get('NEMESIS') or os.path.join(HERE, '..', 'nemesis')


def net_named(name):
    return next(net for net in architectures.all_architectures() if net.name == name)


WIDTHS = {'classes': 3, 'tokens': 5, 'positions': 5, 'text_width': 64, 'vocabulary': 8}
FLAT = {'alexnet': 4 * 36, 'alexnet_groups': 4 * 36, 'lenet': 4 * 64}  # columns of the first dense
FREE = {'resnext50_32x4d': 32}                         # widths that are free, where not 4


def small(name, folded=False):
    """{tensor: (shape, values)} of an architecture, each free width 4, without its other heads."""
    net, out, free = net_named(name), {}, FREE.get(name, 4)
    folded_norms = {norm for _, norm in net.pairs} if folded else ()
    for tensor, slot in net.slots.items():
        is_conv_bias = slot.part == 'bias' and slot.base in net.convs
        has_norm = any(conv == slot.base for conv, _ in net.pairs)
        is_other_head = slot.base == 'classifier' and 'any' in slot.excused_by
        if is_conv_bias and has_norm and not folded and slot.excused_by \
                or slot.base in folded_norms or is_other_head:
            continue
        shape = tuple(dim if isinstance(dim, int)
                      else free // dim.groups if isinstance(dim, architectures.Share)
                      else sum(WIDTHS.get(part, 4) for part in dim) if isinstance(dim, tuple)
                      else FLAT.get(name, 4 * 49) if dim == 'flat' else WIDTHS.get(dim, free)
                      for dim in slot.shape)
        values = values_of(tensor, shape)
        if slot.part == 'running_var':
            values = [abs(value) + 0.5 for value in values]
        out[tensor] = (shape, [value / 16 for value in values])
    return out


RESNET18 = small('resnet18')


def scripted(tensors, kind='f32', code=zipfile.ZIP_DEFLATED):
    """A TorchScript archive: modules within modules, a deflated program, constants."""
    def module(names, place=()):
        out = b'c__torch__.net.___torch_mangle_%d\nM\n)\x81}(' % len(place)
        out += text('training') + b'\x89' + text('bias_k') + b'N'
        for step in dict.fromkeys(name[0] for name in names):
            inner = [name[1:] for name in names if name[0] == step]
            whole = '.'.join((*place, step))
            out += text(step) + (tensor_pickle(keys[whole], tensors[whole][0], kind)
                                 if inner == [()] else module(inner, (*place, step)))
        return out + b'ub'

    keys, out = {name: str(i) for i, name in enumerate(tensors)}, io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as archive:
        pickle = b'\x80\x02' + module([tuple(name.split('.')) for name in tensors]) + b'.'
        archive.writestr(zipfile.ZipInfo('net/data.pkl'), pickle)
        for name, (_, values) in tensors.items():
            archive.writestr(zipfile.ZipInfo(f'net/data/{keys[name]}'), pack(values, kind))
        archive.writestr('net/code/__torch__/net.py', 'class M(Module):\n' * 40, code)
        archive.writestr('net/constants.pkl', b'cos\nsystem\n(S"false"\ntR.')
        archive.writestr('net/version', b'3\n')
    return out.getvalue()


def prefixed(prefix, tensors):
    return {prefix + name: item for name, item in tensors.items()}


def written(tensors, name='a.safetensors'):
    write(name, safetensors(tensors))
    return name


def check(path, want, architecture):
    found, about = read_blob(path)
    assert about['architecture'] == architecture, about['architecture']
    assert set(found) == set(want), sorted(set(found) ^ set(want))[:6]
    for name, (shape, values) in want.items():
        assert found[name][0] == shape and found[name][2] == pack(values, 'f32'), name
    return about


def refused(name, *expected, code=EXIT_DATA, options=()):
    out = path_of('refused.nw')
    if os.path.exists(out):
        os.unlink(out)
    found, printed, errors = run(path_of(name), '-o', out, *options)
    assert found == code, (found, errors)
    assert errors.startswith('error: ') and errors.count('\n') == 1 and not printed, errors
    for words in expected:
        assert words in errors, f'said "{errors.strip()}", expected "{words}"'
    assert not os.path.exists(out)
    return errors


def told(name, *options):
    """(about, stderr) of a conversion that must succeed."""
    out = path_of('told.nw')
    code, _, errors = run(path_of(name), '-o', out, *options)
    assert code == 0, errors
    return read_blob(out)[1], errors


def bug(relative):
    path = os.path.join(DATA, 'bugs', relative)
    if not os.path.exists(path):
        raise Skip(f'no {relative}')
    return path


def array_of(path):
    data = open(path, 'rb').read()
    return floats(data[10 + int.from_bytes(data[8:10], 'little'):])


# ---- ONNX ----------------------------------------------------------------------------------------

def attribute(name, value):
    """An integer, a float or a list of integers."""
    out = field(1, name.encode())
    if isinstance(value, list):
        return out + field(8, b''.join(map(varint, value)))
    return out + (number_field(3, value) if isinstance(value, int)
                  else varint(2 << 3 | 5) + struct.pack('<f', value))


def node(op, inputs, output, name='', **attributes):
    return field(1, b''.join(field(1, i.encode()) for i in inputs) + field(2, output.encode())
                 + field(3, name.encode()) + field(4, op.encode())
                 + b''.join(field(5, attribute(*item)) for item in attributes.items()))


def onnx_of(name, tensors, paths=False, change=None, tensor=onnx_tensor, extra=b''):
    """A folded network as a chain in which only the tensors' places tell what they are."""
    net, nodes, out, number = net_named(name), extra, b'', 193
    pools, source = iter(net.pools), 'input'
    for base, (side, stride, pad) in net.convs.items():
        block = base.partition('.downsample')[0]
        if base.endswith('conv1') or '.' not in base:
            start = source
        values = {'group': 1, 'dilations': [1, 1], 'kernel_shape': [side, side],
                  'strides': [stride, stride], 'pads': [pad] * 4}
        values.update((change or {}).get(base, {}))
        path = '/'.join([''] + base.split('.')[:1] + ['.'.join(base.split('.')[:2])]
                        + base.split('.')[2:3]) if '.' in base else f'/{base}'
        if block != base:
            path += '/downsample.0'
        inputs = [start if block != base else source, f'onnx::Conv_{number}',
                  f'onnx::Conv_{number + 1}']
        nodes += node('Conv', inputs, f'y{number}', path + '/Conv' if paths else '', **values)
        for part, source_name in zip(('weight', 'bias'), inputs[1:]):
            out += field(5, tensor(source_name, *tensors[f'{base}.{part}']))
        source, number = f'y{number}', number + 3
        for side, stride, pad in [next(pools, None)] if base == 'conv1' and net.pools else []:
            nodes += node('MaxPool', [source], 'pooled', kernel_shape=[side, side],
                          strides=[stride, stride], pads=[pad] * 4)
            source = 'pooled'
    nodes += node('Gemm', [source, 'fc.weight', 'fc.bias'], 'logits', '/fc/Gemm', transB=1)
    for part in ('fc.weight', 'fc.bias'):
        out += field(5, tensor(part, *tensors[part]))
    return number_field(1, 8) + field(7, nodes + field(2, b'net') + out)


FOLDED = small('resnet18', folded=True)


def half_tensor(name, shape, values, as_integers=False):
    dims = field(1, b''.join(varint(size) for size in shape)) + number_field(2, 10)
    raw = pack(values, 'f16')
    data = field(5, b''.join(varint(h) for h in struct.unpack(f'<{len(values)}H', raw))) \
        if as_integers else field(9, raw)
    return dims + field(8, name.encode()) + data


# ---- Keras ---------------------------------------------------------------------------------------

def keras_topology(layers):
    path = path_of('web/model.json')
    model = json.load(open(path))
    model['modelTopology'] = {'model_config': {'class_name': 'Model', 'config': {'layers': [
        {'class_name': kind, 'config': {'name': name, **config}}
        for kind, name, config in layers]}}}
    write('web/model.json', json.dumps(model).encode())


def vgg_layers(**change):
    layers = []
    for stage, count in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, count + 1):
            name = f'block{stage}_conv{number}'
            config = {'kernel_size': [3, 3], 'strides': [1, 1], 'padding': 'same',
                      'activation': 'relu'}
            layers.append(('Conv2D', name, {**config, **change.get(name, {})}))
        pool = f'block{stage}_pool'
        layers.append(('MaxPooling2D', pool, {'pool_size': [2, 2], 'strides': [2, 2],
                                              **change.get(pool, {})}))
    return layers + [('Flatten', 'flatten', {}), ('Dense', 'fc1', {'activation': 'relu'}),
                     ('Dense', 'fc2', {'activation': 'relu'}),
                     ('Dense', 'predictions', {'activation': 'softmax'})]


def residual_layers(net):
    """A Keras model of a residual network under its automatic names, padded as SAME has it."""
    layers, names, number = [], {}, 0

    def conv(base, source):
        nonlocal number
        side, stride, _ = net.convs[base]
        name = 'conv2d' + (f'_{number}' if number else '')
        norm = 'batch_normalization' + (f'_{number}' if number else '')
        number += 1
        names[base] = name
        names[dict(net.pairs)[base]] = norm
        layers.append(('Conv2D', name, {'kernel_size': [side, side], 'strides': [stride, stride],
                                        'padding': 'same'}, source))
        layers.append(('BatchNormalization', norm, {'epsilon': 0.001}, name))
        return norm

    def other(kind, name, source, **config):
        layers.append((kind, name, config, source))
        return name

    x = other('Activation', 'relu', conv('conv1', 'input_1'), activation='relu')
    x = other('MaxPooling2D', 'pool', x, pool_size=[3, 3], strides=[2, 2], padding='same')
    for block in dict.fromkeys(base.rpartition('.')[0] for base in net.convs
                               if base[-5:-1] == 'conv' and '.' in base):
        y = other('ReLU', f'{block}.relu', conv(f'{block}.conv1', x))
        y = conv(f'{block}.conv2', y)
        if f'{block}.downsample.0' in net.convs:
            conv(f'{block}.downsample.0', x)
        x = other('Add', f'{block}.add', y)
    names['fc'] = other('Dense', 'dense', x, activation='softmax')
    return layers, names


def write_keras(tensors, layers, names):
    parts = {'weight': {4: 'kernel', 2: 'kernel', 1: 'gamma'}, 'bias': {1: 'beta'},
             'running_mean': {1: 'moving_mean'}, 'running_var': {1: 'moving_variance'}}
    weights, data = [], b''
    for name, (shape, values) in tensors.items():
        base, part = name.rsplit('.', 1)
        kind = 'bias' if base == 'fc' and part == 'bias' else parts[part][len(shape)]
        if len(shape) == 4:
            o, i, h, w = shape
            shape, values = (h, w, i, o), [values[((a * i + b) * h + y) * w + x] for y in range(h)
                                           for x in range(w) for b in range(i) for a in range(o)]
        elif len(shape) == 2:
            shape, values = shape[::-1], [values[o * shape[1] + i] for i in range(shape[1])
                                          for o in range(shape[0])]
        weights.append({'name': f'{names[base]}/{kind}', 'shape': list(shape), 'dtype': 'float32'})
        data += pack(values, 'f32')
    os.makedirs(path_of('keras'), exist_ok=True)
    write('keras/group1-shard1of1', data)
    write('keras/model.json', json.dumps({
        'modelTopology': {'model_config': {'class_name': 'Functional', 'config': {'layers': [
            {'class_name': kind, 'config': {'name': name, **config},
             'inbound_nodes': [[[source, 0, 0, {}]]]} for kind, name, config, source in layers]}}},
        'weightsManifest': [{'paths': ['group1-shard1of1'], 'weights': weights}]}).encode())
