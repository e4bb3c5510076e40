"""Tests of weights/convert.py with transformers: names, sizes and heads."""

import json
import os
import subprocess
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (DATA, EXIT_DATA, EXIT_USAGE, LENET, Skip, check_lenet, field, floats,
                         legacy_pth, number_field, onnx_tensor, path_of, product, pth, read_blob,
                         run, run_tests, tests_of, values_of, write)
from small_networks import check, node, prefixed, refused, scripted, small, told, written
from transformer_names import clip_names, hugging_face_names, timm_names, turned
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


# ---- the same network under the names of others --------------------------------------------------

def test_three_publishers_of_one_vision_transformer():
    about, _ = told(written(SHALLOW), '--heads', '2')
    kept = ('architecture', 'width', 'heads', 'complete')
    for rename, mean, short, epsilon, filter_ in (
            (timm_names, '0.5,0.5,0.5', '8', '1e-06', 'bicubic'),
            (hugging_face_names, '0.5,0.5,0.5', '0', '1e-12', 'bilinear')):
        for prefix in ('', 'module.'):
            renamed = prefixed(prefix, rename(SHALLOW))
            assert len(set(renamed) & set(SHALLOW)) == 0
            for write_it, name in ((written, 'a.safetensors'),
                                   (lambda t, n: write(n, pth(tensors=t)), 'a.pth')):
                write_it(renamed, name)
                found = check(converted(name, '--heads', '2')[0], SHALLOW, 'vit')
                assert [found[key] for key in kept] == [about[key] for key in kept]
                assert (found['mean'], found['resize_short']) == (mean, short)
                assert found['norm_epsilon'] == epsilon
                assert found.get('filter', 'bilinear') == filter_
    bare = {name.replace('vit.', ''): item for name, item in hugging_face_names(SHALLOW).items()
            if name.startswith('vit.')}
    assert told(written(bare), '--heads', '2')[0]['complete'] == 'no'


def test_two_publishers_of_one_clip():
    tensors = small('clip_vit')
    want = {**tensors, 'logit_scale': ((1,), tensors['logit_scale'][1])}
    beside = {'text_model.embeddings.position_ids': ((1, 4), [0.0] * 4)}
    for name in ('a.safetensors', 'a.bin'):
        renamed = {**clip_names(tensors), **beside}
        written(renamed, name) if name != 'a.bin' else write(name, pth(tensors=renamed))
        out, errors = converted(name, '--heads', '2')
        about = check(out, want, 'clip_vit')
        assert about['filter'] == 'bicubic' and about['complete'] == 'yes'
        assert 'left out' not in errors


def test_queries_without_their_keys_are_refused():
    less = {name: item for name, item in hugging_face_names(SHALLOW).items()
            if '1.attention.attention.key.weight' not in name}
    refused(written(less), 'is not vit: 2 tensors would change', options=('--heads', '2'))


def test_other_transformers_are_refused_by_what_they_have():
    names = timm_names(SHALLOW)
    for extra, what in (('dist_token', 'a distillation token, as DeiT'),
                        ('blocks.0.ls1.gamma', 'scaled branches'), ('reg_token', 'register tokens'),
                        ('fc_norm.weight', 'a layer between its blocks and its head'),
                        ('pre_logits.fc.weight', 'a layer between its blocks and its head'),
                        ('blocks.1.attn.q_norm.weight', 'norms of queries and keys'),
                        ('blocks.1.attn.rel_pos_bias', 'relative positions')):
        refused(written({**names, extra: ((4,), [1.0] * 4)}), 'is not vit: 1 tensor', what, extra)
    distilled = {**hugging_face_names(SHALLOW), 'vit.embeddings.distillation_token':
                 ((1, 1, 4), [1.0] * 4)}
    distilled = {name.replace('vit.', 'deit.'): item for name, item in distilled.items()}
    refused(written(distilled), 'a distillation token')
    twice = {**names, 'class_token': ((1, 1, 4), [1.0] * 4)}
    refused(written(twice), 'is not vit: 1 tensor')


# ---- a folder from a model hub -------------------------------------------------------------------

def test_a_hub_says_heads_and_epsilon():
    os.makedirs(path_of('hub'), exist_ok=True)
    written(hugging_face_names(SHALLOW), 'hub/model.safetensors')

    def with_config(**config):
        write('hub/config.json', json.dumps(config).encode())
        return 'hub'

    about, errors = told(with_config(num_attention_heads=4, layer_norm_eps=1e-6))
    assert (about['heads'], about['norm_epsilon']) == ('4', '1e-06') and 'heads=' not in errors
    assert told(with_config(num_attention_heads=4), '--heads', '2')[0]['heads'] == '2'
    assert told(with_config(num_attention_heads=4))[0]['norm_epsilon'] == '1e-12'
    for config, what in (({'hidden_act': 'gelu_new'}, "the activation 'gelu_new', vit has 'gelu'"),
                         ({'num_attention_heads': '4'}, "has '4' attention heads"),
                         ({'layer_norm_eps': 0.0}, 'has the epsilon 0.0')):
        refused(with_config(**config), what)
    refused(with_config(num_attention_heads=3), 'do not make 3 equal heads', code=EXIT_USAGE)
    for text in (b'[]', b'{', b'[' * 100000, b' ' * (16 << 20) + b'{}'):
        write('hub/config.json', text)
        refused('hub', 'config.json: ')


def test_a_hub_says_how_photos_are_prepared():
    os.makedirs(path_of('photos'), exist_ok=True)
    written(hugging_face_names(SHALLOW), 'photos/model.safetensors')
    square, halves = {'height': 8, 'width': 8}, ('0.5,0.5,0.5', '0.5,0.5,0.5')
    imagenet = {'image_mean': [0.485, 0.456, 0.406], 'image_std': [0.229, 0.224, 0.225]}
    for settings, wanted in (
            ({'size': 9, 'crop_size': 8, 'do_center_crop': True, 'resample': 3, **imagenet},
             ('8', '9', 'bicubic', '0.485,0.456,0.406', '0.229,0.224,0.225')),
            ({'size': square, 'resample': 2}, ('8', '0', None, *halves)),
            ({'size': {'shortest_edge': 8}, 'crop_pct': 0.5, 'do_normalize': False},
             ('8', '16', None, '0,0,0', '1,1,1')),
            ({'size': square, 'rescale_factor': 1 / 127.5, **imagenet}, ('8', '0', None, *halves)),
            # neither said nor understood: as without
            ({'size': {'height': [8], 'width': 9}, 'resample': [], 'crop_size': {}, 'image_mean':
              [1, 2], 'image_std': [0, 0, 0], 'crop_pct': 'x'}, ('8', '0', None, *halves))):
        write('photos/preprocessor_config.json', json.dumps(settings).encode())
        about, errors = told('photos', '--heads', '2')
        assert tuple(about.get(key) for key in ('width', 'resize_short', 'filter', 'mean', 'std')) \
            == wanted, (settings, about)
        assert ('as preprocessor_config.json says' in errors) == (settings.get('resample') != [])
    assert told('photos', '--heads', '2', '--mean', '0.1,0.2,0.3')[0]['mean'] == '0.1,0.2,0.3'
    write('photos/preprocessor_config.json', json.dumps({'size': 9}).encode())
    refused('photos', 'positions for', options=('--heads', '2'))
    write('photos/preprocessor_config.json', b'{')
    refused('photos', 'preprocessor_config.json: is not')


def test_timm_says_how_photos_are_prepared():
    os.makedirs(path_of('timm'), exist_ok=True)
    written(timm_names(SHALLOW), 'timm/model.safetensors')
    settings = {'input_size': [3, 8, 8], 'interpolation': 'bilinear', 'crop_pct': 0.8,
                'crop_mode': 'center', 'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.2, 0.1]}
    write('timm/config.json', json.dumps({'architecture': 'vit_tiny', 'pretrained_cfg': settings})
          .encode())
    about, errors = told('timm', '--heads', '2')
    assert (about['resize_short'], about['mean'], about['std'], about.get('filter')) == \
        ('10', '0.5,0.4,0.3', '0.2,0.2,0.1', None)
    assert 'mean, std, filter, size as config.json says' in errors


def test_a_hub_says_what_each_tower_of_clip_has():
    os.makedirs(path_of('hub'), exist_ok=True)
    written(clip_names(small('clip_vit')), 'hub/model.safetensors')
    tower = {'num_attention_heads': 2, 'layer_norm_eps': 1e-5, 'hidden_act': 'quick_gelu'}
    config = {'vision_config': tower, 'text_config': {**tower, 'num_attention_heads': 16}}
    write('hub/config.json', json.dumps(config).encode())
    about, errors = told('hub')
    assert (about['heads'], about['text_heads']) == ('2', '16') and 'assumes' not in errors
    write('hub/config.json', json.dumps({**config, 'vision_config': {'hidden_act': 'gelu'}})
          .encode())
    refused('hub', "the activation 'gelu', clip_vit has 'quick_gelu'")


# ---- ONNX ----------------------------------------------------------------------------------------

def onnx_of(tensors, first, nameless='onnx::MatMul_{}', epsilon=0.25, extra=b''):
    """What exporters write: matrices before an added bias are turned and have lost their names."""
    out, nodes = b'', node('Conv', ['x', f'{first}.weight', f'{first}.bias'], 'y', strides=[4, 4],
                           kernel_shape=[4, 4], pads=[0] * 4)
    for number, (name, item) in enumerate(tensors.items()):
        bias = name[:-len('weight')] + 'bias' if name.endswith('weight') else None
        if len(item[0]) == 2 and bias in tensors and number % 5:
            out += field(5, onnx_tensor(nameless.format(number), *turned(item)))
            nodes += node('MatMul', [f'a{number}', nameless.format(number)], f'b{number}')
            nodes += node('Add', [bias, f'b{number}'][::1 if number % 2 else -1], f'c{number}')
            continue
        out += field(5, onnx_tensor(name, *item))
        if len(item[0]) == 2 and bias in tensors:
            nodes += node('Gemm', [f'a{number}', name, bias], f'c{number}', transB=1)
        elif len(item[0]) == 1 and bias in tensors:
            nodes += node('LayerNormalization', [f'a{number}', name, bias], f'c{number}',
                          epsilon=epsilon)
    nodes += node('MatMul', ['a1', 'a2'], 'scores') + node('Softmax', ['scores'], 'attention')
    out += field(5, onnx_tensor('val_9999', (), [1.5])) + field(5, onnx_tensor(
        '/encoder/Constant_output_0', (1,), [2.5]))
    return number_field(1, 8) + field(7, nodes + extra + node('Erf', ['c1'], 'd') + 4 * node(
        'Reshape', ['d'], 'd') + field(2, b'net') + out)


def test_onnx_of_every_publisher_and_exporter():
    for rename, first in ((dict, 'conv_proj'), (timm_names, 'patch_embed.proj'),
                          (hugging_face_names, 'vit.embeddings.patch_embeddings.projection')):
        for nameless in ('onnx::MatMul_{}', 'val_{}'):
            write('a.onnx', onnx_of(rename(SHALLOW), first, nameless))
            about = check(converted('a.onnx', '--heads', '2')[0], SHALLOW, 'vit')
            assert about['norm_epsilon'] == '0.25' and about['complete'] == 'yes'


def test_onnx_of_another_transformer_is_refused():
    for op, what in (('Relu', 'has the operation Relu'), ('Tanh', 'has the operation Tanh inside'),
                     ('InstanceNormalization', 'has the operation InstanceNormalization')):
        write('a.onnx', onnx_of(SHALLOW, 'conv_proj', extra=node(op, ['x'], 'z')))
        refused('a.onnx', 'is not vit', what)
    tanh = field(1, field(1, b'x') + field(4, b'Gelu') + field(5, field(1, b'approximate')
                                                               + field(4, b'tanh')))
    write('a.onnx', onnx_of(SHALLOW, 'conv_proj', extra=tanh))
    refused('a.onnx', 'has GELU by tanh')
    less = {name: item for name, item in SHALLOW.items()
            if name != 'encoder.layers.encoder_layer_0.mlp.0.bias'}
    write('a.onnx', onnx_of(less, 'conv_proj', extra=node('MatMul', ['q', 'val_7'], 'r')
                            + field(5, onnx_tensor('val_7', (4, 4), [1.0] * 16))))
    refused('a.onnx', 'is not vit: 1 tensor would change', 'val_7')


EXPORT = """
import sys, torch
from torchvision.models.vision_transformer import VisionTransformer
torch.manual_seed(0)
net = VisionTransformer(image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=8,
                        mlp_dim=12, num_classes=3).eval()
for parameter in net.parameters():
    torch.nn.init.normal_(parameter)
torch.save(net.state_dict(), sys.argv[1])
for opset, fold in ((13, True), (13, False), (17, True)):
    torch.onnx.export(net, torch.zeros(1, 3, 16, 16), f'{sys.argv[1]}.{opset}.{fold}.onnx',
                      opset_version=opset, do_constant_folding=fold)
"""


def test_exports_of_torch():
    path = path_of('exported.pth')
    if not os.path.exists('/usr/bin/python3') or subprocess.run(
            ['/usr/bin/python3', '-c', EXPORT, path], capture_output=True).returncode:
        raise Skip('no PyTorch that exports ONNX')
    want, _ = read_blob(converted('exported.pth', '--heads', '2')[0])
    for kind in ('13.True', '13.False', '17.True'):
        found, about = read_blob(converted(f'exported.pth.{kind}.onnx', '--heads', '2')[0])
        assert found == want and about['norm_epsilon'] == '1e-06', kind


# ---- CLIP and RoBERTa ----------------------------------------------------------------------------

def test_both_towers_of_clip_are_one_blob():
    for name, side in (('clip_vit', '8'), ('clip_resnet', '64')):
        tensors = small(name)
        want = {**tensors, 'logit_scale': ((1,), tensors['logit_scale'][1])}
        beside = {'input_resolution': ((), [224.0]), 'context_length': ((), [77.0]),
                  'vocab_size': ((), [49408.0])}
        out, errors = converted(written({**tensors, **beside}), '--heads', '2')
        about = check(out, want, name)
        assert (about['heads'], about['text_heads']) == ('2', '1')
        assert (about['width'], about['resize_short'], about['filter']) == (side, side, 'bicubic')
        assert about['mean'] == '0.48145466,0.4578275,0.40821073' and about['complete'] == 'yes'
        assert 'sigmoid(1.702 x)' in errors and 'left out' not in errors


def test_one_tower_of_clip():
    tensors = {name: item for name, item in small('clip_vit').items() if name.startswith('visual.')}
    about, errors = told(written(tensors), '--heads', '2')
    assert about['complete'] == 'no' and 'text_heads' not in about
    assert 'token_embedding.weight' in errors


def test_torchscript_archives_are_data():
    """The program and its constants are not read: those here would be refused if they were."""
    tensors = small('clip_vit')
    want = {**tensors, 'logit_scale': ((1,), tensors['logit_scale'][1])}
    for code in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        write('a.pt', scripted(tensors, code=code))
        out, errors = converted('a.pt', '--heads', '2')
        check(out, want, 'clip_vit')
        assert 'TorchScript program, of which the weights were taken and nothing run' in errors
    write('a.pt', scripted(LENET))
    check_lenet(converted('a.pt')[0])


def test_roberta_under_its_prefixes():
    tensors = small('roberta')
    beside = {'lm_head.bias': ((3,), [1.0] * 3), 'roberta.pooler.dense.bias': ((4,), [1.0] * 4),
              'roberta.embeddings.position_ids': ((1, 5), [0.0] * 5)}
    for prefix in ('', 'roberta.', 'module.roberta.'):
        others = {name.replace('roberta.', '' if not prefix else 'roberta.'): item
                  for name, item in beside.items()}
        write('a.bin', pth(tensors={**prefixed(prefix, tensors), **others}))
        write('b.bin', legacy_pth({**prefixed(prefix, tensors), **others}))
        written({**prefixed(prefix, tensors), **others}, 'a.safetensors')
        for name in ('a.bin', 'b.bin', 'a.safetensors'):
            out, errors = converted(name, '--heads', '2')
            about = check(out, tensors, 'roberta')
            assert about['input'] == 'tokens' and 'width' not in about and 'mean' not in about
            assert about['norm_epsilon'] == '1e-05' and about['complete'] == 'yes'
            assert 'lm_head.bias' in errors and 'pooler.dense.bias' in errors
            assert 'prepares photos' not in errors
    refused('a.bin', 'roberta reads texts', '--size', code=EXIT_USAGE, options=('--size', '8'))
    bert = {**tensors, 'embeddings.token_type_embeddings.weight': ((2, 4), [1.0] * 8)}
    refused(written(bert), 'does not fit roberta', 'is 2x4, expected 1x4')


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


def test_published_layouts_of_clip_and_roberta():
    whole, about, _ = real('reference/clip_thin.pth')
    assert about['architecture'] == 'clip_vit' and len(whole) == 74 and about['width'] == '64'
    assert (about['heads'], about['text_heads'], about['complete']) == ('2', '2', 'yes')
    halves, _, _ = real('reference/clip_thin_half.pth')
    script, about, _ = real('reference/clip_thin_scripted_half.pt')
    assert halves == script and about['source_format'] == 'pth' and whole != halves
    words, about, errors = real('reference/roberta_thin.bin', '--heads', '2')
    assert words['embeddings.word_embeddings.weight'][0] == (50265, 16) and len(words) == 69
    assert about['complete'] == 'yes' and 'lm_head.bias' in errors


def test_the_trained_encoder():
    tensors, about, _ = real('weights/vit_cifar10/vit_cifar10.pth', '--heads', '8')
    assert about['architecture'] == 'encoder' and about['complete'] == 'yes' and len(tensors) == 80
    assert (about['width'], about['height'], about['heads']) == ('32', '32', '8')
    assert about['mean'] == '0.4914,0.4822,0.4465' and about['std'] == '0.2023,0.1994,0.201'
    assert sum(product(shape) for shape, _, _ in tensors.values()) == 811146
    assert all(abs(value) < 10 for value in floats(tensors['pos_embed'][2]))


if __name__ == '__main__':
    sys.exit(run_tests('transformer', tests_of(globals())))
