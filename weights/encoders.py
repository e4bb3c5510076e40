"""Transformers: what they are made of. Their depth is what the names say, their widths are free."""

import re

from architectures import CIFAR_GRADIENT_ALIGNMENT, Architecture, Photos

OPENAI = Photos((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711),
                'bicubic', lambda side: side)
HALVES = 3 * (0.5,), 3 * (0.5,)
TIMM = Photos(*HALVES, 'bicubic', lambda side: side * 10 // 9 if side == 224 else side)
HUGGING_FACE = Photos(*HALVES, 'bilinear', lambda side: 0)
LAYERS = 12                # of a network that is only listed
MOST_LAYERS = 256
RN50_BLOCKS = (3, 4, 6, 3)
CHANNELS_OF_A_HEAD = 64    # where nothing says how many heads there are


OTHER_PARTS = (
    (r'(.*[./])?(dist_token|distillation_token|head_dist[./].*)',
     "a distillation token, as DeiT's distilled variants have it"),
    (r'(.*[./])?(fc_norm|pre_logits)[./].*', 'a layer between its blocks and its head'),
    (r'(.*[./])?(ls[12]|layer_scale\d?|gamma_[12]|lambda\d?)([./].*)?', 'scaled branches'),
    (r'.*(relative_position|rel_pos).*', 'relative positions'),
    (r'.*(reg_token|register_tokens)', 'register tokens'),
    (r'.*[./][qk]_norm[./].*', 'norms of queries and keys'),
    (r'.*(lora_[AB]|adapter).*', 'adapters'))


def depth(names, stem, otherwise=LAYERS):
    """How many different numbers follow `stem` in the names."""
    numbers = {found[1] for found in (re.match(stem + r'(\d+)\.', name) for name in names) if found}
    return min(len(numbers), MOST_LAYERS) or otherwise


def probed(net, layers, last=None):
    """What can be probed of each block, in the order in which it is computed."""
    for layer in range(layers):
        base = f'encoder_layer_{layer}'
        net.layers += [f'{base}.heads', f'{base}.mlp.0', base]
    net.layers += [last] if last else []


def attention(net, base, width):
    """torch's nn.MultiheadAttention: queries, keys and values in one matrix."""
    net.tensor(f'{base}.in_proj_weight', ((width,) * 3, width))
    net.tensor(f'{base}.in_proj_bias', ((width,) * 3,))
    net.dense(f'{base}.out_proj', width, width)


def patches(net, base, width, *aliases):
    """Kernels as wide as their stride: each patch of the picture becomes a column of `width`."""
    net.conv(base, width, 3, 'patch', *aliases, stride='patch', pad=0)
    net.grid, net.heads, net.parts = ('tokens', 'patch'), {'heads': width}, OTHER_PARTS


def vit(names=()):
    """Dosovitskiy et al., ICLR 2021, under torchvision's names: norms before, exact GELU."""
    net = Architecture('vit', 224)
    net.refit, net.norm_epsilons = vit, {'': 1e-6, 'huggingface': 1e-12}
    net.photos = {'timm': TIMM, 'huggingface': HUGGING_FACE}
    net.operations, net.activation = {'LayerNormalization', 'Erf', 'Gelu'}, 'gelu'
    patches(net, 'conv_proj', 'width', 'patch_embed.proj', 'embeddings.patch_embeddings.projection')
    net.tensor('class_token', (1, 1, 'width'))
    net.tensor('encoder.pos_embedding', (1, 'tokens', 'width'))
    layers = depth(names, r'encoder\.layers\.encoder_layer_')
    for layer in range(layers):
        base = f'encoder.layers.encoder_layer_{layer}'
        net.layer_norm(f'{base}.ln_1', 'width')
        attention(net, f'{base}.self_attention', 'width')
        net.layer_norm(f'{base}.ln_2', 'width')
        net.dense(f'{base}.mlp.0', 'hidden', 'width', f'{base}.mlp.linear_1')
        net.dense(f'{base}.mlp.3', 'width', 'hidden', f'{base}.mlp.linear_2')
    net.layer_norm('encoder.ln', 'width')
    net.dense('heads.head', 'classes', 'width')
    probed(net, layers, 'logits')
    return net


def encoder(names=()):
    """A class token and patches in torch's nn.TransformerEncoder, as that is by default."""
    net = Architecture('encoder', 32, CIFAR_GRADIENT_ALIGNMENT)
    net.refit, net.norm_epsilons = encoder, {'': 1e-5}
    net.assumed = 'norms behind each part of a block, and ReLU'
    net.operations = {'LayerNormalization', 'Relu'}
    patches(net, 'patch_embed.proj', 'width')
    net.tensor('cls_token', (1, 1, 'width'))
    net.tensor('pos_embed', (1, 'tokens', 'width'))
    layers = depth(names, r'transformer\.layers\.')
    for layer in range(layers):
        base = f'transformer.layers.{layer}'
        attention(net, f'{base}.self_attn', 'width')
        net.dense(f'{base}.linear1', 'hidden', 'width')
        net.dense(f'{base}.linear2', 'width', 'hidden')
        net.layer_norm(f'{base}.norm1', 'width')
        net.layer_norm(f'{base}.norm2', 'width')
    net.layer_norm('mlp_head.0', 'width')
    net.dense('mlp_head.1', 'classes', 'width')
    probed(net, layers, 'logits')
    return net


# ---- CLIP ----------------------------------------------------------------------------------------

def clip(name, refit):
    """Radford et al., ICML 2021, under OpenAI's names: towers of pictures and of texts."""
    net = Architecture(name, 224)
    net.refit, net.norm_epsilons = refit, {'': 1e-5}
    net.photos, net.parts = {'': OPENAI, 'huggingface': OPENAI}, OTHER_PARTS
    net.assumed = "sigmoid(1.702 x) x in its blocks, as OpenAI's have it"
    net.heads, net.activation = {'heads': 'width', 'text_heads': 'text_width'}, 'quick_gelu'
    net.specials = {'<|startoftext|>': -2, '<|endoftext|>': -1}
    net.operations = {'LayerNormalization', 'Sigmoid', 'Relu' if name == 'clip_resnet' else ''}
    return net


def clip_blocks(net, stem, width, hidden, names):
    layers = depth(names, re.escape(f'{stem}.resblocks.'))
    for layer in range(layers):
        base = f'{stem}.resblocks.{layer}'
        attention(net, f'{base}.attn', width)
        net.layer_norm(f'{base}.ln_1', width)
        net.dense(f'{base}.mlp.c_fc', hidden, width)
        net.dense(f'{base}.mlp.c_proj', width, hidden)
        net.layer_norm(f'{base}.ln_2', width)
    return layers


def clip_text(net, names):
    net.slot('token_embedding', 'weight', ('words', 'text_width'))
    net.tensor('positional_embedding', ('context', 'text_width'))
    clip_blocks(net, 'transformer', 'text_width', 'text_hidden', names)
    net.layer_norm('ln_final', 'text_width')
    net.tensor('text_projection', ('text_width', 'embedding'))
    net.tensor('logit_scale', ())


def clip_vit(names=()):
    net = clip('clip_vit', clip_vit)
    net.conv('visual.conv1', 'width', 3, 'patch', 'vision_model.embeddings.patch_embedding',
             bias=False, stride='patch', pad=0)
    net.grid = ('positions', 'patch')
    net.tensor('visual.class_embedding', ('width',))
    net.tensor('visual.positional_embedding', ('positions', 'width'))
    net.layer_norm('visual.ln_pre', 'width')
    layers = clip_blocks(net, 'visual.transformer', 'width', 'hidden', names)
    net.layer_norm('visual.ln_post', 'width')
    net.tensor('visual.proj', ('width', 'embedding'))
    clip_text(net, names)
    probed(net, layers, 'embedding')
    return net


def clip_resnet(names=()):
    """Three convolutions for a stem, average pools for strides, attention for the last pool."""
    net = clip('clip_resnet', clip_resnet)
    before = 3
    for number, width in enumerate(('half', 'half', 'stem'), 1):
        net.conv(f'visual.conv{number}', width, before, 3, norm=f'visual.bn{number}', bias=False,
                 stride=2 if number == 1 else 1)
        before = width
    for stage in range(1, 5):
        inner, after = f'inner{stage}', 'width' if stage == 4 else f'stage{stage}'
        for block in range(depth(names, fr'visual\.layer{stage}\.', RN50_BLOCKS[stage - 1])):
            base = f'visual.layer{stage}.{block}'
            net.conv(f'{base}.conv1', inner, before, 1, norm=f'{base}.bn1', bias=False)
            net.conv(f'{base}.conv2', inner, inner, 3, norm=f'{base}.bn2', bias=False)
            net.conv(f'{base}.conv3', after, inner, 1, norm=f'{base}.bn3', bias=False)
            if block == 0:
                net.conv(f'{base}.downsample.0', after, before, 1, norm=f'{base}.downsample.1',
                         bias=False)
            before = after
        net.layers.append(f'layer{stage}')
    net.grid = ('positions', 32)
    net.tensor('visual.attnpool.positional_embedding', ('positions', 'width'))
    for part in ('q_proj', 'k_proj', 'v_proj'):
        net.dense(f'visual.attnpool.{part}', 'width', 'width')
    net.dense('visual.attnpool.c_proj', 'embedding', 'width')
    net.layers.append('embedding')
    clip_text(net, names)
    return net


# ---- text ----------------------------------------------------------------------------------------

def roberta(names=()):
    """Liu et al., 2019, under Hugging Face's names: norms behind, exact GELU."""
    net = Architecture('roberta', 0)
    net.refit, net.norm_epsilons, net.reads = roberta, {'': 1e-5}, 'tokens'
    net.parts = OTHER_PARTS
    net.heads, net.first = {'heads': 'width'}, 'embeddings.word_embeddings.weight'
    net.activation, net.specials = 'gelu', {'<s>': 0, '<pad>': 1, '</s>': 2}
    net.slot('embeddings.word_embeddings', 'weight', ('words', 'width'))
    net.slot('embeddings.position_embeddings', 'weight', ('positions', 'width'))
    net.slot('embeddings.token_type_embeddings', 'weight', (1, 'width'))
    net.layer_norm('embeddings.LayerNorm', 'width')
    layers = depth(names, r'encoder\.layer\.')
    for layer in range(layers):
        base = f'encoder.layer.{layer}'
        for part in ('query', 'key', 'value'):
            net.dense(f'{base}.attention.self.{part}', 'width', 'width')
        net.dense(f'{base}.attention.output.dense', 'width', 'width')
        net.layer_norm(f'{base}.attention.output.LayerNorm', 'width')
        net.dense(f'{base}.intermediate.dense', 'hidden', 'width')
        net.dense(f'{base}.output.dense', 'width', 'hidden')
        net.layer_norm(f'{base}.output.LayerNorm', 'width')
    probed(net, layers)
    return net


def encoders():
    return [vit(), encoder(), clip_vit(), clip_resnet(), roberta()]
