"""Checkpoints as people have them: wrapped, nested, renamed, beside objects, cut short, of another
network. Either the blob is the network that was trained, or a sentence says why not."""

import json
import os
import struct
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (CONVERT, DATA, EXIT_CREATE, EXIT_DATA, EXIT_USAGE, HERE, LENET, Skip, VGG,
                         check_lenet, check_vgg, converts, field, floats, integer, legacy_pth, npy,
                         number_field, onnx_tensor, pack, path_of, product, pth, pth_entries,
                         read_blob, run, run_tests, safetensors, state_pickle, stored_zip,
                         tensor_pickle, tests_of, text, values_of, varint, write, write_folder,
                         write_tensorflowjs)
import architectures

NEMESIS = os.environ.get('NEMESIS') or os.path.join(HERE, '..', 'nemesis')


def net_named(name):
    return next(net for net in architectures.all_architectures() if net.name == name)


WIDTHS = {'classes': 3}
FLAT = {'alexnet': 4 * 36, 'lenet': 4 * 64}            # columns of the first dense layer


def small(name, folded=False):
    """{tensor: (shape, values)} of an architecture, each free width 4, without its other heads."""
    net, out = net_named(name), {}
    folded_norms = {norm for _, norm in net.pairs} if folded else ()
    for tensor, slot in net.slots.items():
        is_conv_bias = slot.part == 'bias' and slot.base in net.convs
        has_norm = any(conv == slot.base for conv, _ in net.pairs)
        is_other_head = slot.base == 'classifier' and 'any' in slot.excused_by
        if is_conv_bias and has_norm and not folded and slot.excused_by \
                or slot.base in folded_norms or is_other_head:
            continue
        shape = tuple(dim if isinstance(dim, int) else 4 * len(dim) if isinstance(dim, tuple)
                      else FLAT.get(name, 4 * 49) if dim == 'flat' else WIDTHS.get(dim, 4)
                      for dim in slot.shape)
        values = values_of(tensor, shape)
        if slot.part == 'running_var':
            values = [abs(value) + 0.5 for value in values]
        out[tensor] = (shape, [value / 16 for value in values])
    return out


RESNET18 = small('resnet18')


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


# ---- never silently another network --------------------------------------------------------------

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


def test_groups_of_channels_are_refused():
    tensors = dict(small('resnet50'))
    for name in list(tensors):
        if name.endswith('conv2.weight'):
            tensors[name] = ((4, 1, 3, 3), [1.0] * 36)
    refused(written(tensors), 'in groups of channels', '(4 groups)')


def test_grouped_alexnet_is_named():
    shapes = {'conv1': (8, 3, 11, 11), 'conv2': (8, 4, 5, 5), 'conv3': (8, 8, 3, 3),
              'conv4': (8, 4, 3, 3), 'conv5': (8, 4, 3, 3), 'fc6': (4, 288), 'fc7': (4, 4),
              'fc8': (3, 4)}
    tensors = {f'{base}.weight': (shape, [1.0] * product(shape)) for base, shape in shapes.items()}
    tensors.update({f'{base}.bias': (shape[:1], [1.0] * shape[0])
                    for base, shape in shapes.items()})
    for renamed in (tensors, prefixed('module.', tensors)):
        refused(written(renamed), 'AlexNet with groups', 'local response normalisation')


def test_other_networks_are_called_by_their_names():
    for name, what in (('features.0.0.weight', 'MobileNet'), ('cls_token', 'transformer'),
                       ('visual.class_embedding', 'transformer'), ('conv1.0.weight', 'deep stem'),
                       ('conv2_block1_1_conv/kernel', "Keras's ResNet"),
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


# ---- wrapped and nested --------------------------------------------------------------------------

def test_wrappers_anywhere():
    for change in (lambda n: n.replace('features.', 'features.module.'),
                   lambda n: '_orig_mod.module.' + n, lambda n: 'module._orig_mod.' + n,
                   lambda n: 'model.' + n, lambda n: 'net.' + n, lambda n: 'a.b.trunk.' + n):
        check(converts(written({change(k): v for k, v in VGG.items()})), VGG, 'vgg16')


def nested(*groups):
    """A .pth of dictionaries: (key, tensors), and an epoch."""
    entries, out, number = {}, b'\x80\x02}(' + text('epoch') + integer(3), 0
    for key, tensors in groups:
        pickles = {name: tensor_pickle(str(number + i), shape)
                   for i, (name, (shape, _)) in enumerate(tensors.items())}
        out += text(key) + state_pickle(tensors, pickles=pickles)[2:-1]
        for _, values in tensors.values():
            entries[f'net/data/{number}'] = pack(values, 'f32')
            number += 1
    return stored_zip({'net/data.pkl': out + b'u.', **entries})


OTHER = {name: (shape, [value + 1 for value in values]) for name, (shape, values) in LENET.items()}


def test_lightning():
    write('a.ckpt', nested(('state_dict', prefixed('model.', LENET)), ('hyper_parameters', {})))
    check_lenet(converts('a.ckpt'))


def test_the_momentum_encoder_is_not_taken():
    both = {**prefixed('module.encoder_q.', LENET), **prefixed('module.encoder_k.', OTHER),
            'module.queue': ((2,), [1.0] * 2)}
    write('a.pth.tar', nested(('state_dict', both)))
    check_lenet(converts('a.pth.tar'))
    _, errors = told('a.pth.tar')
    assert "took the network at 'state_dict.encoder_q'; there is also 'state_dict.encoder_k'" \
        in errors
    check_lenet(converts('a.pth.tar', '--key', 'encoder_k'), OTHER)


def test_averages_are_told_of_and_can_be_chosen():
    write('a.pth', nested(('state_dict', LENET), ('state_dict_ema', OTHER)))
    check_lenet(converts('a.pth'))
    assert "'state_dict_ema' (lenet), which --key NAME takes instead" in told('a.pth')[1]
    check_lenet(converts('a.pth', '--key', 'state_dict_ema'), OTHER)
    write('a.pth', nested(('ema', LENET)))
    check_lenet(converts('a.pth'))


def test_student_and_teacher_must_be_chosen():
    write('a.pth', nested(('student', prefixed('backbone.', LENET)), ('teacher', OTHER)))
    write('b.pth', pth(tensors={**prefixed('student.', LENET), **prefixed('teacher.', OTHER)}))
    for name in ('a.pth', 'b.pth'):
        refused(name, 'holds 2 networks', 'student', "'teacher'", '--key')
        check_lenet(converts(name, '--key', 'student'))
        check_lenet(converts(name, '--key', 'teacher'), OTHER)
        refused(name, "no network under 'techer', only under", options=('--key', 'techer'))


def test_the_same_network_twice_is_one():
    """The robustness library saves its attacker's reference to the model too."""
    both = {**prefixed('module.model.', LENET), **prefixed('module.attacker.model.', LENET)}
    numbers = {name: i for i, name in enumerate(LENET)}
    pickles = {name: tensor_pickle(str(numbers[name[name.rindex('model.') + 6:]]), shape)
               for name, (shape, _) in both.items()}
    entries = {**pth_entries(LENET), 'net/data.pkl': state_pickle(both, pickles=pickles)}
    write('a.pt', stored_zip(entries))
    check_lenet(converts('a.pt'))
    assert 'there is also' not in told('a.pt')[1]


# ---- objects beside the weights ------------------------------------------------------------------

def beside(what):
    """A .pth with a state_dict and one more value."""
    return pth(b'\x80\x02}(' + text('other') + what + text('state_dict') + state_pickle(LENET)[2:-1]
               + b'u.')


OBJECTS = {
    'dict subclass': b'c__main__\nCfgNode\n)\x81(' + text('a') + integer(1) + b'u',
    'object with a state': b'ctorch.optim.lr_scheduler\nStepLR\n)\x81}' + text('gamma') + b'Nsb',
    'datetime': b'cdatetime\ndatetime\nC\x0a' + bytes(10) + b'\x85R',
    'function': b'ctorch.nn.functional\nrelu\n', 'set': b'\x8f(' + integer(1) + b'\x90',
    'keyword call': b'c__main__\nA\n)}\x92', 'tuple keys': b'})Ns',
    'list subclass': b'c__main__\nL\n)\x81(' + integer(1) + integer(2) + b'e',
    'method of an object': b'c__main__\nA\n)R' + text('x') + b'\x85R',
    'old class': b'ccopy_reg\n_reconstructor\n(c__main__\nA\nc__builtin__\nobject\nNtR}b'}


def test_objects_are_stepped_over():
    for name, what in OBJECTS.items():
        write('a.pth', beside(what))
        check_lenet(converts('a.pth'))
        for touched in (b'os\nsystem', b'builtins\nexec'):
            write('a.pth', beside(b'c' + touched + b'\n(' + text('touch ' + path_of('owned'))
                                  + b'tR'))
            check_lenet(converts('a.pth'))
    assert not os.path.exists(path_of('owned'))
    _, errors = told('a.pth')
    assert 'stepped over objects, of which nothing was run: builtins.exec' in errors


def test_dictionaries_of_python_2():
    """OrderedDict with a list of [key, value] as its argument."""
    out = b'\x80\x02ccollections\nOrderedDict\n]('
    for i, (name, (shape, _)) in enumerate(LENET.items()):
        out += b'](' + text(name) + tensor_pickle(str(i), shape) + b'e'
    write('a.pth', pth(out + b'e\x85R.'))
    check_lenet(converts('a.pth'))


def test_whole_models_say_what_to_do():
    state = b'}(' + text('_modules') + b'}' + text('training') + b'\x89u'
    model = b'ctorchvision.models.vgg\nVGG\n)\x81' + state + b'b'
    for pickle in (b'\x80\x02' + model + b'.', b'\x80\x02}' + text('model') + model + b's.',
                   b'\x80\x02ctorch.nn\nDataParallel\n)\x81}' + text('module') + model + b'sb.'):
        write('a.pth', pth(pickle))
        refused('a.pth', 'a whole pickled model', 'torchvision.models.vgg.VGG',
                'torch.save(model.state_dict()')
    write('a.pt', stored_zip({'a/data.pkl': b'N.', 'a/constants.pkl': b').'}))
    refused('a.pt', 'TorchScript', '.state_dict()')


# ---- what is not a checkpoint --------------------------------------------------------------------

NOT_CHECKPOINTS = (
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'git lfs pull'),
    (b'<!DOCTYPE html><html><body>404</body></html>', 'is a web page'),
    (b'\n  <html lang="en">', 'is a web page'), (b'', 'is an empty file'),
    (b'not found\n', "is plain text, not a checkpoint; its first line is 'not found'"),
    (b'\x89HDF\r\n\x1a\n' + bytes(8), 'tensorflowjs_converter'),
    (b'\x1f\x8b\x08' + bytes(20), 'gzip'),
    (b'\x89NWB\r\n\x1a\n' + bytes(8), 'a weight blob already'), (b'\xff\xd8\xff\xe0', 'is a photo'),
    (npy((1,), bytes(4)), 'a single array'), (bytes(257) + b'ustar' + bytes(10), 'tar archive'))


def test_what_is_no_checkpoint_is_called_by_its_name():
    for data, what in NOT_CHECKPOINTS:
        for ending in ('pth', 'npz'):
            write('a.' + ending, data)
            refused('a.' + ending, what)


def test_cut_files_are_said_to_be_cut():
    for ending, data in (('pth', pth()), ('th', legacy_pth()), ('safetensors', safetensors())):
        write('a.' + ending, data[:len(data) // 2])
        refused('a.' + ending, 'is cut short')


def test_contents_count_before_the_ending():
    npz = stored_zip({name + '.npy': npy(shape, pack(values, 'f32'))
                      for name, (shape, values) in LENET.items()})
    for data in (pth(), legacy_pth(), safetensors(), npz):
        for ending in ('pth', 'safetensors', 'npz', 'onnx', 'weights'):
            write('a.' + ending, data)
            check_lenet(converts('a.' + ending))


# ---- arrays that are no weights ------------------------------------------------------------------

def test_texts_and_objects_beside_arrays():
    others = {'arch.npy': npy((), 'lenet'.encode('utf-32-le'), '<U5'),
              'classes.npy': npy((3,), b'\x80\x02N.', '|O'),
              'when.npy': npy((1,), bytes(8), '<M8[s]'),
              'table.npy': npy((1,), bytes(8), header="{'descr': [('a', '<f4')], 'fortran_order': "
                                                      "False, 'shape': (1,), }"),
              'notes.txt': b'words'}
    arrays = {name + '.npy': npy(shape, pack(values, 'f32'))
              for name, (shape, values) in LENET.items()}
    write('a.npz', stored_zip({**arrays, **others}))
    check_lenet(converts('a.npz'))
    errors = told('a.npz')[1]
    assert 'what is no number was left out: arch, classes, when, table' in errors
    assert 'left out entries that are no arrays: notes.txt' in errors
    write('a.npz', stored_zip({**arrays, 'fc2.bias.npy': npy((5,), b'\x80\x02N.', '|O')}))
    refused('a.npz', "'fc2.bias' holds '|O'")


def test_unused_tensors_of_unknown_types():
    def add(header):
        end = max(entry['data_offsets'][1] for name, entry in header.items() if name[0] != '_')
        header['head.scale'] = {'dtype': 'F8_E4M3', 'shape': [4], 'data_offsets': [end, end + 4]}
    write('a.safetensors', safetensors(change=add, tail=bytes(4)))
    check_lenet(converts('a.safetensors'))


# ---- names of other publishers -------------------------------------------------------------------

def hugging_face(name):
    base, part = name.rsplit('.', 1)
    steps = base.split('.')
    if base in ('conv1', 'bn1'):
        kind = {'conv1': 'convolution', 'bn1': 'normalization'}[base]
        return f'resnet.embedder.embedder.{kind}.{part}'
    if base == 'fc':
        return 'classifier.1.' + part
    stage, block, layer = int(steps[0][5:]) - 1, steps[1], steps[2]
    at = f'resnet.encoder.stages.{stage}.layers.{block}.'
    if layer == 'downsample':
        return f"{at}shortcut.{'convolution' if steps[3] == '0' else 'normalization'}.{part}"
    kind = 'convolution' if layer.startswith('conv') else 'normalization'
    return f'{at}layer.{int(layer[-1]) - 1}.{kind}.{part}'


def test_hugging_face_resnets():
    for name in ('resnet18', 'resnet50'):
        want = small(name)
        check(converts(written({hugging_face(k): v for k, v in want.items()})), want, name)
        trunk = {k: v for k, v in want.items() if not k.startswith('fc.')}
        check(converts(written({hugging_face(k)[len('resnet.'):]: v for k, v in trunk.items()})),
              trunk, name)


def test_a_folder_from_a_model_hub():
    os.makedirs(path_of('hub'), exist_ok=True)
    write('hub/config.json', b'{}')
    write('hub/model.safetensors', safetensors())
    check_lenet(converts('hub'))


def test_timm_vgg():
    """Its first two dense layers are kept as convolutions."""
    names = {'classifier.0': 'pre_logits.fc1', 'classifier.3': 'pre_logits.fc2',
             'classifier.6': 'head.fc'}
    tensors = {}
    for name, (shape, values) in VGG.items():
        base, part = name.rsplit('.', 1)
        if base == 'classifier.0' and part == 'weight':
            shape = (4, 2, 7, 7)
        elif base == 'classifier.3' and part == 'weight':
            shape = (4, 4, 1, 1)
        tensors[f'{names.get(base, base)}.{part}'] = (shape, values)
    check_vgg(converts(written(tensors)))


# ---- ONNX as exporters write it ------------------------------------------------------------------

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
    for op in ('LeakyRelu', 'LRN'):
        write('a.onnx', onnx_of('resnet18', FOLDED, extra=node(op, ['input'], 'z')))
        refused('a.onnx', f'has the operation {op}')
    write('a.onnx', onnx_of('resnet18', FOLDED, extra=node('MaxPool', ['input'], 'z')))
    refused('a.onnx', 'has 2 max pools, expected 1')
    write('a.onnx', onnx_of('resnet18', FOLDED, extra=node('Div', ['x', 'y'], 'input')))
    refused('a.onnx', 'prepares pictures itself (Div)')


def half_tensor(name, shape, values, as_integers=False):
    dims = field(1, b''.join(varint(size) for size in shape)) + number_field(2, 10)
    raw = pack(values, 'f16')
    data = field(5, b''.join(varint(h) for h in struct.unpack(f'<{len(values)}H', raw))) \
        if as_integers else field(9, raw)
    return dims + field(8, name.encode()) + data


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


# ---- Keras -----------------------------------------------------------------------------------

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


def test_keras_residual_networks_keep_padding_and_epsilon():
    layers, names = residual_layers(net_named('resnet18'))
    write_keras(RESNET18, layers, names)
    about, errors = told('keras')
    assert about['padding'] == 'same' and about['complete'] == 'yes', errors
    found, _ = read_blob(path_of('told.nw'))
    for name, (shape, values) in RESNET18.items():
        more = 0.001 - 1e-5 if name.endswith('running_var') else 0
        assert found[name][0] == shape, name
        assert all(abs(a - b - more) < 1e-6 for a, b in zip(floats(found[name][2]), values)), name
    refused('keras', 'padded as --padding same', code=EXIT_USAGE, options=('--padding', 'torch'))
    layers[4][2]['padding'] = 'valid'
    write_keras(RESNET18, layers, names)
    refused('keras', 'is padded by')


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


# ---- outputs and pipes ---------------------------------------------------------------------------

def test_the_output_is_never_the_input():
    data = pth()
    write('a.pth', data)
    for name in ('link.pth', 'hard.pth'):
        if os.path.lexists(path_of(name)):
            os.unlink(path_of(name))
    os.symlink('a.pth', path_of('link.pth'))
    os.link(path_of('a.pth'), path_of('hard.pth'))
    os.makedirs(path_of('inner'), exist_ok=True)
    for output in ('a.pth', 'link.pth', 'hard.pth', 'inner/../a.pth', './a.pth'):
        code, _, errors = run(path_of('a.pth'), '-o', path_of(output))
        assert code == EXIT_USAGE and 'the input itself' in errors, (output, code, errors)
        assert open(path_of('a.pth'), 'rb').read() == data
    folder = write_folder('arrays')
    code, _, errors = run(folder, '-o', os.path.join(folder, 'fc1.bias.npy'))
    assert code == EXIT_USAGE and 'the input itself' in errors


def test_links_stay_links():
    write('a.pth', pth())
    write('target.nw', b'old')
    for link, to in (('to.nw', 'target.nw'), ('new.nw', 'created.nw')):
        if os.path.lexists(path_of(link)):
            os.unlink(path_of(link))
        os.symlink(to, path_of(link))
        assert run(path_of('a.pth'), '-o', path_of(link))[0] == 0
        assert os.path.islink(path_of(link)) and not os.path.islink(path_of(to))
        check_lenet(path_of(to))


def test_devices_and_pipes_are_written_through():
    write('a.pth', pth())
    assert run(path_of('a.pth'), '-o', '/dev/null')[0] == 0
    assert not os.path.isfile('/dev/null')
    command = [sys.executable, CONVERT, path_of('a.pth'), '-o', '/dev/stdout']
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    write('piped.nw', done.stdout)
    check_lenet(path_of('piped.nw'))
    os.mkfifo(path_of('fifo'))
    with subprocess.Popen(['cat', path_of('fifo')], stdout=subprocess.PIPE) as reader:
        assert run(path_of('a.pth'), '-o', path_of('fifo'))[0] == 0
        write('fifoed.nw', reader.stdout.read())
    check_lenet(path_of('fifoed.nw'))
    assert run(path_of('a.pth'), '-o', HERE)[0] == EXIT_CREATE
    os.unlink(path_of('fifo'))


def test_a_closed_pipe_is_silent():
    many = {f'head.t{i:04}.weight': ((1,), [1.0]) for i in range(4000)}
    write('a.safetensors', safetensors({**LENET, **many}))
    for options in (['--list'], ['--list-architectures'], ['--help']):
        first = [path_of('a.safetensors')] if options == ['--list'] else []
        command = [sys.executable, CONVERT, *first, *options]
        shell = f'{{ {" ".join(command)}; echo $? >{path_of("code")}; }} | true'
        done = subprocess.run(['sh', '-c', shell], capture_output=True, text=True, timeout=60)
        assert done.stderr == '', done.stderr
        assert open(path_of('code')).read().strip() in ('0', '141')


def test_a_full_disk_is_told():
    if not os.path.exists('/dev/full'):
        raise Skip('no /dev/full')
    write('a.pth', pth())
    for options in (['--list-architectures'], [path_of('a.pth'), '--list']):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([sys.executable, CONVERT, *options], stdout=full, text=True,
                                  stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 74 and done.stderr.startswith('error: standard output')
    code, _, errors = run(path_of('a.pth'), '-o', '/dev/full')
    assert code == 74 and 'No space' in errors, (code, errors)


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
        out = converts(written(small(net.name)))
        done = subprocess.run([NEMESIS, 'inspect', out, '--json'], capture_output=True, text=True,
                              check=True)
        assert json.loads(done.stdout)['layers'] == net.layers, net.name


def test_the_page_lists_the_architectures():
    page = open(os.path.join(HERE, '..', 'docs', 'architectures.md'), encoding='utf-8').read()
    for net in architectures.all_architectures():
        row = next((line for line in page.splitlines() if line.startswith(f'| `{net.name}` |')), '')
        cells = [cell.strip() for cell in row.split('|')[1:-1]]
        assert len(cells) == 4, f'{net.name} has no row'
        assert cells[1] == f'{net.size}x{net.size}', row
        assert cells[2].replace('`', '') == shortened(net.layers), (cells[2], shortened(net.layers))
        assert f"`{net.first.rpartition('.')[0]}`" in cells[3], row


def shortened(layers):
    """conv1 conv2 conv3 -> conv1 to conv3."""
    out, at = [], 0
    while at < len(layers):
        stem, last = layers[at].rstrip('0123456789'), at
        while last + 1 < len(layers) and stem and layers[last][len(stem):].isdigit() and \
                layers[last + 1] == f'{stem}{int(layers[last][len(stem):]) + 1}':
            last += 1
        out.append(layers[at] if last < at + 2 else f'{layers[at]} to {layers[last]}')
        at = at + 1 if last < at + 2 else last + 1
    return ', '.join(out)


# ---- files that once failed, where they are ------------------------------------------------------

def bug(relative):
    path = os.path.join(DATA, 'bugs', relative)
    if not os.path.exists(path):
        raise Skip(f'no {relative}')
    return path


def test_files_that_once_failed():
    out = path_of('bug.nw')
    for relative, want in (('05-data-parallel-inside/vgg16.pth.tar', 'vgg16, 32 tensors'),
                           ('11-size-without-resize/resnet18.pth', 'resnet18, 102 tensors'),
                           ('15-objects-beside-the-weights/cfg.pth', 'vgg16, 32 tensors'),
                           ('15-objects-beside-the-weights/scheduler.pth', 'vgg16, 32 tensors'),
                           ('15-objects-beside-the-weights/time.pth', 'vgg16, 32 tensors'),
                           ('25-words-in-npz/weights.npz', 'vgg16, 32 tensors')):
        code, printed, errors = run(bug(relative), '-o', out)
        assert code == 0 and want in printed, (relative, errors)
    for relative, want in (('01-parts-left-out/seresnet18.pth', 'squeeze-and-excitation'),
                           ('15-objects-beside-the-weights/whole.pth', 'model.state_dict()'),
                           ('17-not-the-file/pointer.pth', 'git lfs pull'),
                           ('17-not-the-file/page.pth', 'web page'),
                           ('17-not-the-file/empty.pth', 'empty file'),
                           ('17-not-the-file/half.pth', 'cut short'),
                           ('31-caffe-alexnet/alexnet.pth', 'AlexNet with groups')):
        code, _, errors = run(bug(relative), '-o', out)
        assert code == EXIT_DATA and want in errors, (relative, errors)


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


def array_of(path):
    data = open(path, 'rb').read()
    return floats(data[10 + int.from_bytes(data[8:10], 'little'):])


if __name__ == '__main__':
    sys.exit(run_tests('everyday', tests_of(globals())))
