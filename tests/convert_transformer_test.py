"""Tests of weights/convert.py with transformers: names, sizes and heads."""

import os
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (DATA, EXIT_DATA, EXIT_USAGE, LENET, Skip, check_lenet, floats, legacy_pth,
                         path_of, product, pth, read_blob, run, run_tests, tests_of, values_of,
                         write)
from small_networks import check, prefixed, refused, scripted, small, told, written
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

def timm_names(tensors):
    """torchvision's vision transformer as timm calls its tensors."""
    out = {}
    for name, item in tensors.items():
        for here, there in (('class_token', 'cls_token'), ('encoder.pos_embedding', 'pos_embed'),
                            ('conv_proj', 'patch_embed.proj'), ('encoder.ln.', 'norm.'),
                            ('heads.head', 'head'), ('encoder.layers.encoder_layer_', 'blocks.'),
                            ('.ln_', '.norm'), ('self_attention.in_proj_', 'attn.qkv.'),
                            ('self_attention.out_proj', 'attn.proj'), ('mlp.0', 'mlp.fc1'),
                            ('mlp.3', 'mlp.fc2')):
            name = name.replace(here, there)
        out[name] = item
    return out


def thirds(name, item):
    """{query, key and value: item} of a packed tensor, or it alone."""
    if '.in_proj_' not in name:
        return {name: item}
    (rows, *columns), values = item
    base, part = name.split('.in_proj_')
    step = len(values) // 3
    return {f'{base}.{kind}.{part}': ((rows // 3, *columns), values[i * step:(i + 1) * step])
            for i, kind in enumerate(('query', 'key', 'value'))}


def hugging_face_names(tensors):
    """The same as transformers' ViTForImageClassification calls them."""
    out = {}
    for whole, packed in tensors.items():
        for name, item in thirds(whole, packed).items():
            for here, there in (('class_token', 'embeddings.cls_token'),
                                ('encoder.ln.', 'layernorm.'),
                                ('encoder.pos_embedding', 'embeddings.position_embeddings'),
                                ('conv_proj', 'embeddings.patch_embeddings.projection'),
                                ('encoder.layers.encoder_layer_', 'encoder.layer.'),
                                ('ln_1', 'layernorm_before'), ('ln_2', 'layernorm_after'),
                                ('self_attention.out_proj', 'attention.output.dense'),
                                ('self_attention', 'attention.attention'),
                                ('mlp.0', 'intermediate.dense'), ('mlp.3', 'output.dense')):
                name = name.replace(here, there)
            head = name.replace('heads.head', 'classifier')
            out[head if head != name else f'vit.{name}'] = item
    return out


def turned(item):
    (rows, columns), values = item
    return (columns, rows), [values[r * columns + c] for c in range(columns) for r in range(rows)]


def clip_names(tensors):
    """OpenAI's CLIP as transformers' CLIPModel calls its tensors."""
    out = {}
    for whole, packed in tensors.items():
        tower = 'vision_model' if whole.startswith('visual.') else 'text_model'
        for name, item in thirds(whole, packed).items():
            if name in ('visual.proj', 'text_projection'):
                kind = 'visual' if name == 'visual.proj' else 'text'
                out[f'{kind}_projection.weight'] = turned(item)
                continue
            for here, there in (('visual.conv1', f'{tower}.embeddings.patch_embedding'),
                                ('visual.class_embedding', f'{tower}.embeddings.class_embedding'),
                                ('visual.positional_embedding',
                                 f'{tower}.embeddings.position_embedding.weight'),
                                ('visual.ln_pre', f'{tower}.pre_layrnorm'),
                                ('visual.ln_post', f'{tower}.post_layernorm'),
                                ('token_embedding', f'{tower}.embeddings.token_embedding'),
                                ('ln_final', f'{tower}.final_layer_norm'),
                                ('visual.transformer', 'transformer'),
                                ('transformer.resblocks', f'{tower}.encoder.layers'),
                                ('.attn.query', '.self_attn.q_proj'),
                                ('.attn.key', '.self_attn.k_proj'),
                                ('.attn.value', '.self_attn.v_proj'), ('.attn.', '.self_attn.'),
                                ('.ln_1', '.layer_norm1'), ('.ln_2', '.layer_norm2'),
                                ('mlp.c_fc', 'mlp.fc1'), ('mlp.c_proj', 'mlp.fc2')):
                name = name.replace(here, there)
            if name == 'positional_embedding':
                name = f'{tower}.embeddings.position_embedding.weight'
            out[name] = item
    return out


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
