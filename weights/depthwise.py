"""Networks that filter every channel on its own: MobileNetV2 and EfficientNet-B0 to B4, under the
names of torchvision, with those of timm and Gluon beside them."""

import math

from architectures import IMAGENET, Architecture, Photos

PORTED_EPSILON = 1e-3                                  # that of the networks as published

# ---- MobileNetV2 ---------------------------------------------------------------------------------

MOBILENET_BLOCKS = (1, 2, 3, 4, 3, 3, 1)               # of each stage
MOBILENET_STRIDES = (1, 2, 2, 2, 1, 2, 1)
GLUON = 'mobilenetv20_features_'


def widens_first(names):
    """Gluon's first block has a 1x1 convolution before its filter as all others have."""
    return any(name.startswith((GLUON + 'linearbottleneck0_conv2', 'features.1.conv.1.0.'))
               for name in names)


def mobilenet_v2(names=()):
    """Sandler et al., CVPR 2018, table 2."""
    net = Architecture('mobilenet_v2', 224)
    net.refit, net.operations, net.ported_epsilon = mobilenet_v2, {'relu6'}, PORTED_EPSILON
    net.conv('features.0.0', 'stem', 3, 3, GLUON + 'conv0', 'conv_stem', norm='features.0.1',
             bias=False, stride=2)
    net.alias('features.0.1', GLUON + 'batchnorm0', 'bn1')
    before, number = 'stem', 0
    for stage, (blocks, stride) in enumerate(zip(MOBILENET_BLOCKS, MOBILENET_STRIDES)):
        for block in range(blocks):
            number += 1
            after = f'stage{stage}'
            inverted(net, f'features.{number}.conv', before, after, 3,
                     stride if block == 0 else 1, stage > 0 or widens_first(names),
                     f'blocks.{stage}.{block}', GLUON + f'linearbottleneck{number - 1}_')
            before = after
    net.conv('features.18.0', 'last', before, 1, GLUON + 'conv1', 'conv_head', norm='features.18.1',
             bias=False)
    net.alias('features.18.1', GLUON + 'batchnorm1', 'bn2')
    net.dense('classifier.1', 'classes', 'last', 'classifier', 'mobilenetv20_output_pred')
    net.layers += [f'features.{number}' for number in range(19)] + ['avgpool', 'logits']
    return net


def inverted(net, base, before, after, side, stride, is_wider, timm, gluon):
    """torchvision's Sequential of a block: [1x1, norm, ReLU6], [filter, norm, ReLU6], 1x1, norm."""
    place, inner = 0, before
    if is_wider:
        inner = f'{base}.inner'
        net.conv(f'{base}.0.0', inner, before, 1, f'{timm}.conv_pw', f'{gluon}conv0',
                 norm=f'{base}.0.1', bias=False)
        net.alias(f'{base}.0.1', f'{timm}.bn1', f'{gluon}batchnorm0')
        place = 1
    net.depthwise(f'{base}.{place}.0', inner, side, f'{timm}.conv_dw', f'{gluon}conv1',
                  norm=f'{base}.{place}.1', stride=stride)
    net.alias(f'{base}.{place}.1', f'{timm}.bn{place + 1}', f'{gluon}batchnorm1')
    net.conv(f'{base}.{place + 1}', after, inner, 1, f'{timm}.conv_pw{"l" if is_wider else ""}',
             f'{gluon}conv2', norm=f'{base}.{place + 2}', bias=False)
    net.alias(f'{base}.{place + 2}', f'{timm}.bn{place + 2}', f'{gluon}batchnorm2')


# ---- EfficientNet --------------------------------------------------------------------------------

STAGES = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1))
DEEPER = (1.0, 1.1, 1.2, 1.4, 1.8)                     # B0 to B4
LAST = (1280, 1280, 1408, 1536, 1792)                  # tells B1 from B2, which are equally deep
SIZES = ((224, 256), (240, 256), (288, 288), (300, 320), (380, 384))


def efficientnet(variant):
    """Tan and Le, ICML 2019; photos are prepared as torchvision's weights want it."""
    side, short = SIZES[variant]
    net = Architecture(f'efficientnet_b{variant}', side)
    net.operations = {'Sigmoid', 'sigmoid', 'swish', 'silu'}
    net.ported_epsilon = PORTED_EPSILON
    net.photos = {'': Photos(*IMAGENET, 'bicubic', lambda _: short)}
    net.conv('features.0.0', 'stem', 3, 3, 'conv_stem', norm='features.0.1', bias=False, stride=2)
    net.alias('features.0.1', 'bn1')
    before = 'stem'
    for stage, (window, stride, blocks) in enumerate(STAGES):
        for block in range(math.ceil(blocks * DEEPER[variant])):
            after = f'stage{stage}'
            excited(net, f'features.{stage + 1}.{block}.block', before, after, window,
                    stride if block == 0 else 1, stage > 0, f'blocks.{stage}.{block}')
            before = after
    last = LAST[variant] if variant in (1, 2) else 'last'
    net.conv('features.8.0', last, before, 1, 'conv_head', norm='features.8.1', bias=False)
    net.alias('features.8.1', 'bn2')
    net.dense('classifier.1', 'classes', last, 'classifier')
    net.layers += [f'features.{number}' for number in range(9)] + ['avgpool', 'logits']
    return net


def excited(net, base, before, after, side, stride, is_wider, timm):
    """[1x1, norm, SiLU], [filter, norm, SiLU], squeeze-and-excitation, [1x1, norm]."""
    place, inner = 0, before
    if is_wider:
        inner, place = f'{base}.inner', 1
        net.conv(f'{base}.0.0', inner, before, 1, f'{timm}.conv_pw', norm=f'{base}.0.1', bias=False)
        net.alias(f'{base}.0.1', f'{timm}.bn1')
    net.depthwise(f'{base}.{place}.0', inner, side, f'{timm}.conv_dw', norm=f'{base}.{place}.1',
                  stride=stride)
    net.alias(f'{base}.{place}.1', f'{timm}.bn{place + 1}')
    net.conv(f'{base}.{place + 1}.fc1', f'{base}.squeezed', inner, 1, f'{timm}.se.conv_reduce')
    net.conv(f'{base}.{place + 1}.fc2', inner, f'{base}.squeezed', 1, f'{timm}.se.conv_expand')
    net.conv(f'{base}.{place + 2}.0', after, inner, 1, f'{timm}.conv_pw{"l" if is_wider else ""}',
             norm=f'{base}.{place + 2}.1', bias=False)
    net.alias(f'{base}.{place + 2}.1', f'{timm}.bn{place + 2}')


def depthwise_networks():
    return [mobilenet_v2()] + [efficientnet(variant) for variant in range(5)]
