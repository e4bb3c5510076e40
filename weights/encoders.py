"""Transformers: what they are made of. Their depth is what the names say, their widths are free."""

import re

from architectures import CIFAR_GRADIENT_ALIGNMENT, Architecture

LAYERS = 12                # of a network that is only listed
CHANNELS_OF_A_HEAD = 64    # where nothing says how many heads there are


def depth(names, stem):
    """How many different numbers follow `stem` in the names."""
    numbers = {found[1] for found in (re.match(stem + r'(\d+)\.', name) for name in names) if found}
    return len(numbers) or LAYERS


def probed(net, layers):
    """What can be probed of each block, in the order in which it is computed."""
    for layer in range(layers):
        base = f'encoder_layer_{layer}'
        net.layers += [f'{base}.heads', f'{base}.mlp.0', base]
    net.layers.append('logits')


def attention(net, base, width):
    """torch's nn.MultiheadAttention: queries, keys and values in one matrix."""
    net.tensor(f'{base}.in_proj_weight', ((width,) * 3, width))
    net.tensor(f'{base}.in_proj_bias', ((width,) * 3,))
    net.dense(f'{base}.out_proj', width, width)


def patches(net, base, width):
    """Kernels as wide as their stride: each patch of the picture becomes a column of `width`."""
    net.conv(base, width, 3, 'patch', stride='patch', pad=0)
    net.grid, net.heads = ('tokens', 'patch'), {'heads': width}


def vit(names=()):
    """Dosovitskiy et al., ICLR 2021, under torchvision's names: norms before, exact GELU."""
    net = Architecture('vit', 224)
    net.refit, net.norm_epsilon = vit, 1e-6
    patches(net, 'conv_proj', 'width')
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
    probed(net, layers)
    return net


def encoder(names=()):
    """A class token and patches in torch's nn.TransformerEncoder, as that is by default."""
    net = Architecture('encoder', 32, CIFAR_GRADIENT_ALIGNMENT)
    net.refit, net.norm_epsilon = encoder, 1e-5
    net.assumed = 'norms behind each part of a block, and ReLU'
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
    probed(net, layers)
    return net


def encoders():
    return [vit(), encoder()]
