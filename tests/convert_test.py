"""Tests of weights/convert.py: every format round trips, architectures are detected, tensors are
listed, the command behaves. Plain Python 3."""

import hashlib
import os
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (CONVERT, DATA, EXIT_CREATE, EXIT_DATA, EXIT_NOT_FOUND, EXIT_USAGE, FOLDER,
                         KIND_NAMES, LENET, Skip, VGG, caffe_name, caffemodel, check_lenet,
                         check_vgg, converts, floats, integer, legacy_pth, npy, onnx, pack,
                         path_of, product, pth, pth_entries, read_blob, run, run_tests,
                         safetensors, state_pickle, stored_zip, swapped, tensor_pickle, tests_of,
                         text, values_of, vgg16, write, write_folder, write_tensorflowjs)
import architectures
import matching
import preparation
from readers import source


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


def test_a_blob_in_half_the_room():
    write('a.pth', pth())
    halved = open(converts('a.pth', '--dtype', 'f16'), 'rb').read()
    blob = write('whole.nw', open(converts('a.pth'), 'rb').read())
    assert open(converts('whole.nw', '--dtype', 'f16'), 'rb').read() == halved
    code, _, errors = run(write('cut.nw', open(blob, 'rb').read()[:3000]), '-o', path_of('b.nw'),
                          '--dtype', 'f16')
    assert code == EXIT_DATA and 'cut short' in errors, errors
    code, _, errors = run(blob, '-o', path_of('b.nw'))
    assert code == EXIT_DATA and '--dtype f16 halves it' in errors, errors


def test_counters_are_dropped():
    entries = pth_entries(LENET)
    counter = (b'ctorch._utils\n_rebuild_tensor_v2\n((' + text('storage') + b'ctorch\nLongStorage\n'
               + text('n') + text('cpu') + integer(1) + b'tQ' + integer(0) + b'))\x89N' + b'tR')
    entries['net/data.pkl'] = entries['net/data.pkl'][:-2] + text('bn.num_batches_tracked') \
        + counter + b'u.'
    entries['net/data/n'] = bytes(8)
    write('a.pth', stored_zip(entries))
    check_lenet(converts('a.pth'))


# ---- the other formats ---------------------------------------------------------------------------

def test_safetensors():
    for kind in KIND_NAMES:
        write('a.safetensors', safetensors(kind=kind))
        check_lenet(converts('a.safetensors'))


def test_folder_of_npy():
    write_folder('arrays')
    check_lenet(converts('arrays'))


def test_folder_of_one_checkpoint():
    os.makedirs(path_of('one'))
    write('one/net.safetensors', safetensors())
    write('one/README.md', b'of many words')
    check_lenet(converts('one'))
    write('one/net2.safetensors', safetensors())
    code, _, errors = run(path_of('one'), '-o', path_of('out.nw'))
    assert code == EXIT_DATA and 'holds 2 checkpoints (net.safetensors, net2.safetensors)' in errors


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


def test_onnx():
    write('a.onnx', onnx())
    check_lenet(converts('a.onnx'))


def test_caffemodel_both_layouts():
    for legacy in (False, True):
        write('a.caffemodel', caffemodel(legacy))
        about = check_vgg(converts('a.caffemodel'))
        assert about['mean'] == '123.68,116.779,103.939' and about['std'] == '1,1,1'
        assert about['scale'] == '255'


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
                   '--std', '1,2,3', '--size', '192x160', '--geometry', 'rounded')
    first = dict(VGG)
    shape, values = VGG['features.0.weight']
    first['features.0.weight'] = (shape, swapped(shape, values))
    about = check_vgg(out, first, short='219')
    assert about['mean'] == '123.68,116.779,103.939' and about['std'] == '3,2,1'
    assert (about['width'], about['height'], about['scale']) == ('192', '160', '255')
    assert about['geometry'] == 'rounded'


# ---- batch norm and architectures ----------------------------------------------------------------

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
        width = max([2, *net.groups.values()])        # some for each group
        shape = tuple(size if isinstance(size, int)
                      else width // size.groups if isinstance(size, architectures.Share)
                      else width * len(size) if isinstance(size, tuple)
                      else 98 if size == 'flat' else width for size in slot.shape)
        out.append(source.Tensor(name, shape, 'f32',
                                 source.memory_view(name, bytes(4 * product(shape)))))
    return out


def test_every_architecture_is_detected():
    for net in architectures.all_architectures():
        match = matching.detect([('', example(net))])[0].match
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
    assert '1 tensor of lenet is missing: fc2.bias' in errors
    assert '1 tensor behind the layers of lenet (another head) was left out: head.weight' in errors


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
    match = matching.detect([('', tensors)])[0].match
    prepared = preparation.Preparation(match, 'pth')
    assert match.net.name == 'vgg16_bn' and prepared.width == 32
    assert prepared.mean == (0.4915, 0.4823, 0.4468)


# ---- the command ---------------------------------------------------------------------------------

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


TORCH_VGG16 = """
import sys, torch, torchvision
torch.save({'state_dict': torchvision.models.vgg16().state_dict(), 'epoch': 3}, sys.argv[1])
"""


COPY = """
import hashlib, sys, zlib
data = open(sys.argv[1], 'rb').read()
zlib.crc32(data), hashlib.sha256(data)
open(sys.argv[2], 'wb').write(data)
"""


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def test_large_checkpoint():
    """A VGG-16 of 528 MB, saved by PyTorch: in 10 times the processor time of a copy with checksums
    (the same is usual) and 1.2 GB."""
    large, out = path_of('large.pth'), path_of('large.nw')

    def measure(*command):
        done = subprocess.run([sys.executable, '-c', MEASURE, sys.executable, *command],
                              capture_output=True, text=True, check=True)
        return map(float, done.stdout.split())

    torch = ['/usr/bin/python3', '-c', TORCH_VGG16, large]
    if not os.path.exists(torch[0]) or subprocess.run(torch, capture_output=True).returncode:
        raise Skip('no PyTorch')
    copied, unit, _ = measure('-c', COPY, large, out)
    code, seconds, kilobytes = measure(CONVERT, large, '-o', out)
    assert copied == code == 0 and os.path.getsize(out) > 553e6
    assert seconds < 10 * unit and kilobytes < 1.2e6, f'{seconds} s, {unit} s, {kilobytes} kB'
    for path in (large, out):
        os.unlink(path)


# ---- published files -----------------------------------------------------------------------------

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
    assert about['geometry'] == 'torchvision'
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
    assert about['architecture'] == 'squeezenet1.1' and about['complete'] == 'yes'
    assert about['geometry'] == 'torchvision' and errors.count('note: ') == 1


def test_published_cifar_resnets():
    for depth, file, values in ((20, 'resnet20-12fca82f.th', 271098),
                                (56, 'resnet56-4bfd9763.th', 857082)):
        (tensors, about), errors = published('cifar10_resnet/' + file)
        assert about['architecture'] == f'resnet{depth}' and about['complete'] == 'yes'
        assert sum(product(shape) for shape, _, _ in tensors.values()) == values
        assert errors.count('note: ') == 1 and 'resized to 32x32' in errors


if __name__ == '__main__':
    sys.exit(run_tests('convert', tests_of(globals())))
