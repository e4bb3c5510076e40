"""Never silently another network: what would compute something else than what was trained is
refused, what is assumed of pictures is told. ONNX and Keras are compared with the architecture."""

import json
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

from checkpoints import (EXIT_USAGE, HERE, LENET, Skip, check_lenet, check_vgg, converts, field,
                         floats, npy, number_field, onnx_tensor, pack, path_of, product, read_blob,
                         run, run_tests, tests_of, values_of, write, write_tensorflowjs)
from small_networks import (FOLDED, NEMESIS, RESNET18, array_of, bug, check, half_tensor,
                            keras_topology, net_named, node, onnx_of, prefixed, refused,
                            residual_layers, small, told, vgg_layers, write_keras, written)
import architectures

# ---- what would be another network ---------------------------------------------------------------

def test_blocks_inside_are_refused():
    for extra, what in (('layer1.0.se.fc1.weight', 'squeeze-and-excitation'),
                        ('layer2.1.attn.proj.weight', 'attention'),
                        ('layer1.0.relu.weight', 'PReLU'), ('layer3.0.conv2.1.filt', 'blurred'),
                        ('layer1.0.conv1.lora_A', 'adapters'), ('bn2.weight', 'would change'),
                        ('layer1.0.conv1.weight_mask', 'prune.remove'),
                        ('layer1.0.conv4.weight', 'would change')):
        name = written({**RESNET18, extra: ((4,), [1.0] * 4)})
        refused(name, 'is not resnet18: 1 tensor', extra, what)


def test_heads_and_neighbours_are_left_out_with_a_note():
    tensors = {**{k: v for k, v in RESNET18.items() if not k.startswith('fc.')},
               'fc.0.weight': ((4, 4), [1.0] * 16), 'fc.2.weight': ((4, 4), [1.0] * 16)}
    about, errors = told(written({**prefixed('backbone.', tensors),
                                  'loss.weight': ((2,), [1.0] * 2)}))
    assert about['complete'] == 'no' and '2 tensors of resnet18 are missing' in errors
    assert '(another head) were left out: fc.0.weight, fc.2.weight' in errors
    assert '1 tensor outside the network was left out: loss.weight' in errors


def test_what_stands_before_the_network_is_refused():
    refused(written({**prefixed('1.', RESNET18), '0.weight': ((3, 3, 1, 1), [1.0] * 9)}),
            "stand before the network '1'", '0.weight')


def test_segmentation_networks_are_refused():
    """Their trunks have the same tensors and dilated convolutions."""
    for head in ('aux_classifier.0.weight', 'classifier.0.convs.0.0.weight', 'classifier.0.weight'):
        refused(written({**prefixed('backbone.', RESNET18), head: ((2, 4, 3, 3), [1.0] * 72)}),
                'is a segmentation network', 'dilated')


def test_norms_without_statistics_are_refused():
    """A VGG's convolutions have biases: without statistics its norms would pass for folded."""
    for name in ('resnet18', 'vgg11_bn', 'densenet121'):
        tensors = {k: v for k, v in small(name).items() if 'running' not in k}
        refused(written(tensors), 'norms without statistics', name)
    tensors = {k: v for k, v in RESNET18.items() if k != 'layer2.0.bn1.weight'}
    refused(written(tensors), 'incomplete batch norms', 'layer2.0.bn1')


def test_negative_variances_are_refused():
    name, (shape, values) = 'bn1.running_var', RESNET18['bn1.running_var']
    refused(written({**RESNET18, name: (shape, [-1.0] + values[1:])}), 'negative variance', name)


def test_groups_of_channels_are_refused():
    tensors = dict(small('resnet50'))
    for name in list(tensors):
        if name.endswith('conv2.weight'):
            tensors[name] = ((4, 1, 3, 3), [1.0] * 36)
    refused(written(tensors), 'in groups of channels', '(4 groups)')


def renamed(tensors, bases):
    """The same tensors under the names of another publisher, {base: base there}."""
    parts = {name: name.rpartition('.') for name in tensors}
    return {f'{bases[base]}.{part}': tensors[name] for name, (base, _, part) in parts.items()}


def same_contents(ours, theirs):
    (found, about), (want, wanted) = (read_blob(converts(written(tensors)))
                                      for tensors in (theirs, ours))
    assert found == want and about['architecture'] == wanted['architecture']


STAGES = (1, 2, 3, 4, 3, 3, 1)                         # blocks of MobileNetV2's stages
EXCITED = (1, 2, 2, 3, 3, 4, 1)                        # of EfficientNet-B0's
TIMM = {'features.0.0': 'conv_stem', 'features.0.1': 'bn1', 'classifier.1': 'classifier'}


def test_mobilenet_is_known_under_timms_names():
    bases, number = {**TIMM, 'features.18.0': 'conv_head', 'features.18.1': 'bn2'}, 0
    for stage, blocks in enumerate(STAGES):
        for block in range(blocks):
            number += 1
            ours, theirs = f'features.{number}.conv', f'blocks.{stage}.{block}'
            names = ('0.0', '0.1', '1.0', '1.1', '2', '3') if stage else ('0.0', '0.1', '1', '2')
            there = ('conv_pw', 'bn1', 'conv_dw', 'bn2', 'conv_pwl', 'bn3') if stage else \
                ('conv_dw', 'bn1', 'conv_pw', 'bn2')
            bases.update({f'{ours}.{a}': f'{theirs}.{b}' for a, b in zip(names, there)})
    ours = small('mobilenet_v2')
    same_contents(ours, renamed(ours, bases))


def test_efficientnet_is_known_under_timms_names():
    bases = {**TIMM, 'features.8.0': 'conv_head', 'features.8.1': 'bn2'}
    for stage, blocks in enumerate(EXCITED):
        for block in range(blocks):
            ours, theirs = f'features.{stage + 1}.{block}.block', f'blocks.{stage}.{block}'
            names = ('1.0', '1.1', '2.fc1', '2.fc2', '3.0', '3.1') if stage else \
                ('0.0', '0.1', '1.fc1', '1.fc2', '2.0', '2.1')
            there = ('conv_dw', 'bn2', 'se.conv_reduce', 'se.conv_expand', 'conv_pwl', 'bn3') \
                if stage else ('conv_dw', 'bn1', 'se.conv_reduce', 'se.conv_expand', 'conv_pw',
                               'bn2')
            bases.update({f'{ours}.{a}': f'{theirs}.{b}' for a, b in zip(names, there)})
            if stage:
                bases.update({f'{ours}.0.0': f'{theirs}.conv_pw', f'{ours}.0.1': f'{theirs}.bn1'})
    ours = small('efficientnet_b0')
    same_contents(ours, renamed(ours, bases))


def test_a_first_block_that_widens_is_kept():
    """As Gluon has it: the tensors of the widening convolution are not another network's."""
    ours, wide = small('mobilenet_v2'), {}
    for name, item in ours.items():
        for here, there in (('features.1.conv.2.', 'features.1.conv.3.'),
                            ('features.1.conv.1.', 'features.1.conv.2.'),
                            ('features.1.conv.0.', 'features.1.conv.1.')):
            if name.startswith(here):
                name = there + name[len(here):]
                break
        wide[name] = item
    wide['features.1.conv.0.0.weight'] = ((4, 4, 1, 1), [1.0] * 16)
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
        wide[f'features.1.conv.0.1.{part}'] = ((4,), [1.0] * 4)
    assert set(read_blob(converts(written(wide)))[0]) == set(wide)


def test_equally_deep_efficientnets_are_told_apart():
    for variant in range(5):
        name = f'efficientnet_b{variant}'
        about = read_blob(converts(written(small(name))))[1]
        assert (about['architecture'], about['filter']) == (name, 'bicubic'), about


def test_grouped_alexnet_is_named():
    shapes = {'conv1': (8, 3, 11, 11), 'conv2': (8, 4, 5, 5), 'conv3': (8, 8, 3, 3),
              'conv4': (8, 4, 3, 3), 'conv5': (8, 4, 3, 3), 'fc6': (4, 288), 'fc7': (4, 4),
              'fc8': (3, 4)}
    tensors = {f'{base}.weight': (shape, [1.0] * product(shape)) for base, shape in shapes.items()}
    tensors.update({f'{base}.bias': (shape[:1], [1.0] * shape[0])
                    for base, shape in shapes.items()})
    for names in (tensors, prefixed('module.', tensors)):
        about = read_blob(converts(written(names)))[1]
        assert (about['architecture'], about['width']) == ('alexnet_groups', '227'), about
    places = {'conv1': 'features.0', 'conv2': 'features.3', 'conv3': 'features.6'}
    names = {places.get(name.partition('.')[0], 'features.9') + '.' + name.partition('.')[2]: item
             for name, item in tensors.items() if name.startswith('conv')}
    refused(written(names), 'AlexNet with groups', 'conv1 to fc8')


def test_other_networks_are_called_by_their_names():
    for name, what in (('features.0.0.weight', 'MobileNet'), ('cls_token', 'transformer'),
                       ('visual.class_embedding', 'transformer'), ('conv1.0.weight', 'deep stem'),
                       ('conv2_block1_1_conv/kernel', "Keras's ResNet"),
                       ('features.1.0.attn.relative_position_bias_table', 'Swin'),
                       ('trunk_output.block1.block1-0.f.a.0.weight', 'RegNet'),
                       ('stage2.0.branch1.0.weight', 'ShuffleNet'),
                       ('layers.8.0.layers.0.weight', 'MNASNet'),
                       ('features.denseblock4.denselayer24.conv1.weight', 'DenseNet other than'),
                       ('conv1.weight_g', 'parametrisation'),
                       ('conv1.weight_orig', 'prune.remove')):
        refused(written({name: ((2, 3), [1.0] * 6), 'other.weight': ((2,), [1.0] * 2)}), what)
    tensors = {**RESNET18, 'conv1.weight': ((4, 1, 7, 7), [1.0] * 196)}
    refused(written(tensors), 'pictures of 1 channels')


def test_complete_is_said_only_of_the_complete():
    assert told(written(RESNET18))[0]['complete'] == 'yes'
    for name in ('vgg11_bn', 'resnet18'):
        assert told(written(small(name, folded=True)))[0]['complete'] == 'yes'
    less = {k: v for k, v in RESNET18.items() if k != 'fc.bias'}
    assert told(written(less))[0]['complete'] == 'no'


# ---- preparation ---------------------------------------------------------------------------------

def sides(about):
    return tuple(int(about[key]) for key in ('width', 'height', 'resize_short'))


def test_the_short_side_follows_the_size():
    name = written(RESNET18)
    for options, want in (((), (224, 224, 256)), (('--size', '64'), (64, 64, 73)),
                          (('--size', '299'), (299, 299, 342)),
                          (('--size', '192x160'), (192, 160, 219)),
                          (('--size', '64', '--resize', '0'), (64, 64, 0)),
                          (('--size', '64', '--resize', '64'), (64, 64, 64)),
                          (('--resize', '300'), (224, 224, 300))):
        about, errors = told(name, *options)
        assert sides(about) == want, (options, sides(about))
        assert about['geometry'] == 'torchvision'
    assert sides(told(written(small('resnet20')), '--size', '64')[0]) == (64, 64, 0)


def test_crops_larger_than_the_photo_are_refused():
    name = written(RESNET18)
    for options in (('--size', '64', '--resize', '63'), ('--resize', '223'),
                    ('--size', '64x300', '--resize', '299'), ('--size', '65535')):
        refused(name, 'short side', code=EXIT_USAGE, options=options)
    assert run(path_of(name), '-o', path_of('x.nw'), '--resize', '-1')[0] == EXIT_USAGE


def test_what_was_assumed_is_one_line():
    _, errors = told(written(RESNET18))
    lines = [line for line in errors.splitlines() if 'prepares photos' in line]
    assert len(lines) == 1 and 'mean 0.485,0.456,0.406, std 0.229,0.224,0.225' in lines[0]
    assert 'RGB' in lines[0] and 'short side to 256, centre 224x224' in lines[0]
    assert 'all of it assumed' in lines[0]
    assert '--size as asked; the rest assumed' in told('a.safetensors', '--size', '64')[1]


def test_a_wrapper_that_normalises_gives_mean_and_std():
    mean, std = ((3, 1, 1), [0.5, 0.25, 0.125]), ((3, 1, 1), [0.25, 0.5, 0.75])
    for at, new in (('module.normalizer', 'new_'), ('normalize', ''), ('0', '')):
        root = '1.' if at == '0' else 'module.model.' if new else 'model.'
        about, errors = told(written({f'{at}.{new}mean': mean, f'{at}.{new}std': std,
                                      **prefixed(root, RESNET18)}))
        assert about['mean'] == '0.5,0.25,0.125' and about['std'] == '0.25,0.5,0.75'
        assert f"mean and std are the file's '{at}.{new}mean'" in errors
        assert 'left out' not in errors
    about, errors = told(written({'mean': ((3,), [123.0, 116.0, 103.0]), 'std': ((3,), [1.0] * 3),
                                  **RESNET18}))
    assert about['mean'] == '0.485,0.456,0.406' and 'were not used' in errors


def test_vgg_without_pooling_to_seven_has_its_own_size():
    tensors = dict(small('vgg11'))
    tensors['classifier.0.weight'] = ((4, 16), [1.0] * 64)     # 4 channels of 2x2
    assert sides(told(written(tensors))[0]) == (64, 64, 0)


# ---- ONNX as exporters write it ------------------------------------------------------------------

def test_onnx_kernels_are_placed_by_the_nodes():
    for paths in (False, True):
        write('a.onnx', onnx_of('resnet18', FOLDED, paths))
        about = check(converts('a.onnx'), FOLDED, 'resnet18')
        assert (about['complete'], about['bn']) == ('yes', 'folded')


def test_onnx_of_another_network_is_refused():
    for base, values, what in (('layer2.0.conv1', {'strides': [1, 1]}, 'stride 1, expected 2'),
                               ('layer3.1.conv2', {'dilations': [2, 2]}, 'is dilated'),
                               ('layer2.0.conv1', {'pads': [0, 0, 1, 1]}, '0 before and 1 after'),
                               ('layer1.0.conv1', {'group': 2}, '2 groups')):
        write('a.onnx', onnx_of('resnet18', FOLDED, change={base: values}))
        refused('a.onnx', f"'{base}'", what)
    for op in ('LeakyRelu', 'LRN', 'Clip'):
        write('a.onnx', onnx_of('resnet18', FOLDED, extra=node(op, ['input'], 'z')))
        refused('a.onnx', f'has the operation {op}')
    write('a.onnx', onnx_of('resnet18', FOLDED, extra=node('MaxPool', ['input'], 'z')))
    refused('a.onnx', 'has 2 max pools, expected 1')
    write('a.onnx', onnx_of('resnet18', FOLDED, extra=node('Div', ['x', 'y'], 'input')))
    refused('a.onnx', 'prepares pictures itself (Div)')


def test_onnx_in_float16():
    halves = {name: (shape, floats(b''.join(struct.pack('<f', v) for v in struct.unpack(
        f'<{len(values)}e', pack(values, 'f16'))))) for name, (shape, values) in FOLDED.items()}
    for as_integers in (False, True):
        write('a.onnx', onnx_of('resnet18', FOLDED, tensor=lambda *item, i=as_integers:
                                half_tensor(*item, i)))
        check(converts('a.onnx'), halves, 'resnet18')


def test_onnx_weights_in_constants_and_further_names():
    """Constant nodes hold tensors, Identity nodes give one tensor a second name."""
    shape, values = LENET['fc2.bias']
    graph = b''.join(field(5, onnx_tensor(name, *item)) for name, item in LENET.items()
                     if name not in ('fc2.bias', 'conv11.bias', 'conv12.bias'))
    constant = field(1, field(2, b'fc2.bias') + field(4, b'Constant') + field(
        5, field(1, b'value') + field(5, onnx_tensor('', shape, values))))
    shared = field(5, onnx_tensor('shared', (2,), [1.0, 2.0]))
    same = b''.join(node('Identity', ['shared'], f'{name}.bias') for name in ('conv11', 'conv12'))
    write('a.onnx', number_field(1, 8) + field(7, constant + same + graph + shared))
    want = {**LENET, 'conv11.bias': ((2,), [1.0, 2.0]), 'conv12.bias': ((2,), [1.0, 2.0])}
    check_lenet(converts('a.onnx'), want)


def test_onnx_in_pieces_or_quantised_says_what_to_do():
    outside = field(7, field(5, field(8, b'w') + field(13, b'x')))
    write('a.onnx', number_field(1, 8) + outside)
    refused('a.onnx', 'kept in another file', 'onnx.save(onnx.load')
    write('a.onnx', onnx_of('resnet18', FOLDED, extra=node('DequantizeLinear', ['a'], 'b')))
    refused('a.onnx', 'is quantised')


def test_an_exported_network_computes_what_it_did():
    folder = bug('13-onnx-folded')
    if not os.path.exists(NEMESIS):
        raise Skip('the program is not built')
    out, result = path_of('bug.nw'), path_of('y.npy')
    assert run(os.path.join(folder, 'resnet18.onnx'), '-o', out)[0] == 0
    subprocess.run([NEMESIS, 'activations', '-m', out, os.path.join(folder, 'input.npy'), '-o',
                    result], check=True, capture_output=True)
    found, want = (array_of(path) for path in (result, os.path.join(folder, 'logits.npy')))
    assert len(found) == len(want) and max(abs(a - b) for a, b in zip(found, want)) < 1e-4


# ---- Keras and padding ---------------------------------------------------------------------------

def test_keras_layers_are_checked():
    write_tensorflowjs('web')
    keras_topology(vgg_layers())
    check_vgg(converts('web'))
    for change, what in (({'block2_conv1': {'activation': 'elu'}}, 'elu'),
                         ({'block2_conv1': {'strides': [2, 2]}}, 'stride 2'),
                         ({'block2_conv1': {'padding': 'valid'}}, 'padded by 0'),
                         ({'block2_conv1': {'dilation_rate': [2, 2]}}, 'dilated'),
                         ({'block3_pool': {'pool_size': [3, 3], 'padding': 'same'}}, 'max pool 3')):
        write_tensorflowjs('web')
        keras_topology(vgg_layers(**change))
        refused('web', what)


def test_keras_residual_networks_keep_padding_and_epsilon():
    layers, names = residual_layers(net_named('resnet18'))
    write_keras(RESNET18, layers, names)

    def check_variances(epsilon, more):
        about, errors = told('keras')
        assert about['padding'] == 'same' and about['complete'] == 'yes', errors
        assert about.get('bn_epsilon') == epsilon and 'assumed' not in errors.split('prepares')[0]
        found, _ = read_blob(path_of('told.nw'))
        for name, (shape, values) in RESNET18.items():
            add = more(name) if name.endswith('running_var') else 0
            assert found[name][0] == shape, name
            assert all(abs(a - b - add) < 1e-6
                       for a, b in zip(floats(found[name][2]), values)), name

    check_variances('0.001', lambda name: 0)
    layers[1][2]['epsilon'] = 0.002                   # where norms differ
    write_keras(RESNET18, layers, names)
    check_variances(None, lambda name: (0.002 if name.startswith('bn1.') else 0.001) - 1e-5)
    refused('keras', 'padded as --padding same', code=EXIT_USAGE, options=('--padding', 'torch'))
    layers[4][2]['padding'] = 'valid'
    write_keras(RESNET18, layers, names)
    refused('keras', 'is padded by')


def test_networks_from_tensorflow_have_its_epsilon():
    """Tensors do not tell; --padding same does, or the name that timm gives such a network."""
    os.makedirs(path_of('hub'), exist_ok=True)
    for network in ('mobilenet_v2', 'efficientnet_b0'):
        tensors = small(network)
        names = [written(tensors, f'{name}.safetensors') for name in ('a', f'tf_{network}_ap', 'hub/model')]
        for name, options, padding, epsilon in (
                (names[0], (), None, None), (names[0], ('--padding', 'same'), 'same', '0.001'),
                (names[1], (), 'same', '0.001'), (names[1], ('--padding', 'torch'), None, None)):
            about, errors = told(name, *options)
            assert (about.get('padding'), about.get('bn_epsilon')) == (padding, epsilon), name
            assert f'{epsilon or "1e-05"} and --padding {padding or "torch"} were assumed' in errors
        for architecture, padding in ((f'tf_{network}', 'same'), (network, None), (3, None)):
            write('hub/config.json', json.dumps({'architecture': architecture}).encode())
            assert told('hub')[0].get('padding') == padding, architecture
    about, errors = told(written(RESNET18, 'tf_resnet18.safetensors'))
    assert 'padding' not in about and 'bn_epsilon' not in about and 'epsilon' not in errors


def test_folding_takes_the_epsilon_of_the_norms():
    folded = []
    for options in (('--padding', 'torch'), ('--padding', 'same')):
        told(written(small('mobilenet_v2')), '--fold-batchnorm', *options)
        tensors, about = read_blob(path_of('told.nw'))
        assert 'bn_epsilon' not in about
        folded.append(floats(tensors['features.0.0.weight'][2]))
    variances = small('mobilenet_v2')['features.0.1.running_var'][1]
    outputs = len(variances)
    for i, (usual, ported) in enumerate(zip(*folded)):
        variance = variances[i * outputs // len(folded[0])]
        want = usual * ((variance + 1e-5) / (variance + 1e-3)) ** 0.5
        assert abs(ported - want) <= 1e-6 * abs(want), i


def test_blue_first_turns_what_reads_pixels():
    """A norm of the pixels and the first convolution; nothing behind them."""
    name = written(small('resnet50_v2'))
    (ours, _), (theirs, _) = (read_blob(converts(name, *options))
                              for options in ((), ('--order', 'bgr')))
    turned = {tensor for tensor in ours if ours[tensor] != theirs[tensor]}
    assert turned == {'conv1.weight', *(f'bn0.{part}' for part in architectures.NORM_PARTS)}
    for part in architectures.NORM_PARTS:
        usual, other = (floats(tensors[f'bn0.{part}'][2]) for tensors in (ours, theirs))
        assert list(other) == list(usual)[::-1], part


def padded_conv(weight, image, side, stride, before):
    """[outputs][inputs][side][side] over [inputs][n][n] with zeros around; n / stride cells."""
    size = len(image[0])

    def at(channel, row, column):
        inside = 0 <= row < size and 0 <= column < size
        return image[channel][row][column] if inside else 0.0

    return [sum(kernel[c][i][j] * at(c, y * stride + i - before, x * stride + j - before)
                for c in range(3) for i in range(side) for j in range(side))
            for kernel in weight for y in range(size // stride) for x in range(size // stride)]


def test_padding_is_computed_as_tensorflow_has_it():
    if not os.path.exists(NEMESIS):
        raise Skip('the program is not built')
    name, n = written(RESNET18), 8
    pixels = values_of('pixels', (3, n, n))
    image = [[pixels[(c * n + y) * n:(c * n + y + 1) * n] for y in range(n)] for c in range(3)]
    flat = RESNET18['conv1.weight'][1]
    weight = [[[flat[((o * 3 + c) * 7 + i) * 7:((o * 3 + c) * 7 + i + 1) * 7] for i in range(7)]
               for c in range(3)] for o in range(4)]
    write('x.npy', npy((1, 3, n, n), pack(pixels, 'f32')))
    for padding, before in (('torch', 3), ('same', 2)):
        out, result = path_of('padded.nw'), path_of('y.npy')
        assert run(path_of(name), '-o', out, '--padding', padding, '--size', '8')[0] == 0
        subprocess.run([NEMESIS, 'activations', '-m', out, '-l', 'conv1', path_of('x.npy'), '-o',
                        result], check=True, capture_output=True)
        want = padded_conv(weight, image, 7, 2, before)
        assert max(abs(a - b) for a, b in zip(array_of(result), want)) < 1e-4, padding
        os.unlink(result)


# ---- the architectures ---------------------------------------------------------------------------

def test_architectures_are_listed():
    code, printed, _ = run('--list-architectures')
    rows = [line.split('\t') for line in printed.splitlines()]
    assert code == 0 and [row[0] for row in rows] == \
        [net.name for net in architectures.all_architectures()]
    assert ['resnet18', '224x224', 'conv1 bn1 layer1 layer2 layer3 layer4 avgpool logits'] in rows


def test_listed_layers_are_those_of_the_program():
    if not os.path.exists(NEMESIS):
        raise Skip('the program is not built')
    for net in architectures.all_architectures():
        if net.name == 'milan':                        # a captioner, with words in its file
            continue
        name = written(small(net.name))
        out = converts(name, *(('--heads', '2') if net.heads else ()))
        done = subprocess.run([NEMESIS, 'inspect', out, '--json'], capture_output=True, text=True,
                              check=True)
        layers = json.loads(done.stdout)['layers']
        of_blob = net.fitted(small(net.name)).layers
        assert layers == of_blob, net.name


def test_the_page_lists_the_architectures():
    page = open(os.path.join(HERE, '..', 'docs', 'architectures.md'), encoding='utf-8').read()
    for net in architectures.all_architectures():
        first = f"`{net.first.rpartition('.')[0]}`"
        rows = [line for line in page.splitlines() if line.startswith(f'| `{net.name}` |')]
        row = next((line for line in rows if first in line), '')
        cells = [cell.strip() for cell in row.split('|')[1:-1]]
        assert len(cells) == 4, f'{net.name} has no row'
        assert cells[1] == ('texts' if net.reads == 'tokens' else f'{net.size}x{net.size}'), row
        assert cells[2].replace('`', '') == shortened(net.layers), (cells[2], shortened(net.layers))
        assert first in cells[3], row


def shortened(layers):
    """conv1 conv2 conv3 -> conv1 to conv3; parts of a block stand behind the first."""
    out, at = [], 0
    parts = [layer.partition('.')[2] for layer in layers if layer.startswith('encoder_layer_0.')]
    if parts:
        whole, *rest = shortened([layer for layer in layers if '.' not in layer]).split(', ')
        return ', '.join([f"{whole} (each with .{' and .'.join(parts)})", *rest])
    while at < len(layers):
        stem, last = layers[at].rstrip('0123456789'), at
        while last + 1 < len(layers) and stem and layers[last][len(stem):].isdigit() and \
                layers[last + 1] == f'{stem}{int(layers[last][len(stem):]) + 1}':
            last += 1
        out.append(layers[at] if last < at + 2 else f'{layers[at]} to {layers[last]}')
        at = at + 1 if last < at + 2 else last + 1
    return ', '.join(out)


if __name__ == '__main__':
    sys.exit(run_tests('same_network', tests_of(globals())))
