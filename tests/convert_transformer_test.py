"""Tests of weights/convert.py with transformers: names, sizes and heads."""

import os
import sys

sys.dont_write_bytecode = True

from checkpoints import (DATA, EXIT_DATA, EXIT_USAGE, Skip, floats, path_of, product, read_blob, run,
                         run_tests, tests_of, values_of)
from small_networks import check, prefixed, refused, small, told, written
import encoders

VIT = small('vit')


def shallow(tensors, stem, depth):
    """Only the first blocks."""
    return {name: item for name, item in tensors.items()
            if not name.startswith(stem) or int(name[len(stem):].partition('.')[0]) < depth}


SHALLOW = shallow(VIT, 'encoder.layers.encoder_layer_', 2)


def converted(name, *options):
    """(blob, errors) of a conversion that must succeed."""
    out = path_of('transformer.nw')
    code, _, errors = run(path_of(name), '-o', out, *options)
    assert code == 0, errors
    return out, errors


# ---- names, depth, size and heads ----------------------------------------------------------------

def test_depth_and_width_are_those_of_the_file():
    for tensors, depth in ((VIT, 12), (SHALLOW, 2)):
        out, errors = converted(written(tensors), '--heads', '2')
        about = check(out, tensors, 'vit')
        assert (about['heads'], about['norm_epsilon'], about['complete']) == ('2', '1e-06', 'yes')
        assert (about['width'], about['height'], about['resize_short']) == ('8', '8', '0')
        assert encoders.vit(tensors).layers[-2:] == [f'encoder_layer_{depth - 1}', 'logits']
        assert 'heads=' not in errors


def test_encoder_keeps_its_names():
    tensors = small('encoder')
    out, errors = converted(written(prefixed('module.', tensors)), '--heads', '4')
    about = check(out, tensors, 'encoder')
    assert about['heads'] == '4' and about['norm_epsilon'] == '1e-05'
    assert 'assumes norms behind each part of a block, and ReLU' in errors


def test_heads_are_of_64_channels_unless_said():
    wide = {name: (tuple(128 * size // 4 if size in (4, 12) else size for size in shape), None)
            for name, (shape, _) in SHALLOW.items()}
    wide['conv_proj.weight'] = ((128, 3, 4, 4), None)
    wide = {name: (shape, values_of(name, shape)) for name, (shape, _) in wide.items()}
    name = written(wide)
    about, errors = told(name)
    assert about['heads'] == '2' and 'attention has heads=2, 64 channels each' in errors
    assert told(name, '--heads', '8')[0]['heads'] == '8'
    refused(name, '128 channels do not make 3 equal heads', code=EXIT_USAGE,
            options=('--heads', '3'))
    refused(written(SHALLOW), '4 channels are no multiple of 64', '--heads N', code=EXIT_USAGE)
    refused(written(small('resnet18')), 'has no attention', code=EXIT_USAGE,
            options=('--heads', '2'))
    assert run(path_of(name), '-o', path_of('x.nw'), '--heads', '0')[0] == EXIT_USAGE


def test_the_size_is_that_of_the_positions():
    name = written(SHALLOW)
    for size in ('12', '8x12', '10'):
        refused(name, 'positions for 4 patches of 4x4', code=EXIT_DATA,
                options=('--heads', '2', '--size', size))
    about, _ = told(name, '--heads', '2', '--size', '16x4')
    assert (about['width'], about['height']) == ('16', '4')
    oblong = {**SHALLOW, 'encoder.pos_embedding': ((1, 4, 4), [1.0] * 16)}
    refused(written(oblong), 'positions for 3 patches', '--size', options=('--heads', '2'))
    assert told('a.safetensors', '--heads', '2', '--size', '12x4')[0]['width'] == '12'


def test_parts_that_are_missing_or_too_many():
    less = {name: item for name, item in SHALLOW.items() if not name.startswith('heads.')}
    about, errors = told(written(less), '--heads', '2')
    assert about['complete'] == 'no' and '2 tensors of vit are missing: heads.head' in errors
    for extra in ('encoder.layers.encoder_layer_1.gate.weight', 'register_tokens',
                  'encoder.layers.encoder_layer_7.ln_1.weight'):
        refused(written({**SHALLOW, extra: ((4,), [1.0] * 4)}), 'is not vit: 1 tensor', extra,
                options=('--heads', '2'))
    packed = 'encoder.layers.encoder_layer_1.self_attention.in_proj_weight'
    refused(written({**SHALLOW, packed: ((4, 4), [1.0] * 16)}), f"'{packed}' is 4x4, expected 12x4",
            options=('--heads', '2'))


# ---- real files ----------------------------------------------------------------------------------

def real(relative, *options):
    path = os.path.join(DATA, relative)
    if not os.path.exists(path):
        raise Skip(f'no {relative}')
    out = path_of('real.nw')
    code, _, errors = run(path, '-o', out, *options)
    assert code == 0, errors
    return (*read_blob(out), errors)


def test_the_thin_vision_transformer():
    tensors, about, _ = real('reference/vit_thin.pth', '--heads', '3')
    assert about['architecture'] == 'vit' and about['complete'] == 'yes' and len(tensors) == 44
    assert (about['width'], about['heads'], about['norm_epsilon']) == ('48', '3', '1e-06')
    assert tensors['encoder.pos_embedding'][0] == (1, 37, 48)


def test_the_trained_encoder():
    tensors, about, _ = real('weights/vit_cifar10/vit_cifar10.pth', '--heads', '8')
    assert about['architecture'] == 'encoder' and about['complete'] == 'yes' and len(tensors) == 80
    assert (about['width'], about['height'], about['heads']) == ('32', '32', '8')
    assert about['mean'] == '0.4914,0.4822,0.4465' and about['std'] == '0.2023,0.1994,0.201'
    assert sum(product(shape) for shape, _, _ in tensors.values()) == 811146
    assert all(abs(value) < 10 for value in floats(tensors['pos_embed'][2]))


if __name__ == '__main__':
    sys.exit(run_tests('transformer', tests_of(globals())))
