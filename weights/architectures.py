"""What the known networks are made of: tensor names, shapes with free widths, layers to probe.

A shape dimension that is a text is a width: the first tensor that has it decides, all others must
agree. Every base name may have aliases, the names other publishers gave to the same layer. Strides
and pools are for formats that have them in the file: what differs there is another network."""

from collections import namedtuple
from functools import lru_cache

EPSILON = 1e-5             # of every batch norm of these networks
NORM_PARTS = ('weight', 'bias', 'running_mean', 'running_var')

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR_GRADIENT_ALIGNMENT = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CIFAR_VGG_BN = ((0.4915, 0.4823, 0.4468), (0.2470, 0.2435, 0.2616))
CAFFE_RGB_MEAN = (123.68, 116.779, 103.939)


# How photos are prepared: mean and std of three numbers each, 'bilinear' or 'bicubic', and a
# function from the side of the input to the short side before the centre is cut out (0: it is not).
Photos = namedtuple('Photos', 'mean std filter short')


# Of a dimension: that part of a width which one of several groups of channels has.
Share = namedtuple('Share', 'width groups')


class Slot:
    """One tensor of a network. Its absence is fine when one of `excused_by` (bases) is there. With
    no part the base is the whole name (`class_token`)."""

    def __init__(self, base, part, shape, excused_by=()):
        self.base, self.part, self.shape, self.excused_by = base, part, shape, excused_by
        self.name = f'{base}.{part}' if part else base


class Architecture:
    """slots by name, aliases {other base: base}, pairs [(convolution, norm that follows it)].

    convs    {base: (side, stride, pad)} in the order in which they are computed
    groups   {base: groups of channels} of convolutions that have several; 0: every channel is one
    operations               those of a graph that it has and most networks have not
    pools    (side, stride, pad) of the max pools in that order
    layers   what can be probed, in the order of models/*.c
    photos   {'' or a publisher whose names these are: Photos}, where they differ from what is usual
    reads    'pixels' or 'tokens'

    ported_epsilon           of batch norms that were trained in TensorFlow, or None

    Of networks that attend (encoders.py):
    refit    function (names) -> this architecture with the depth that the names have
    heads    {key of `about`: the width that its heads share}
    grid     (width that counts the positions, width or number of pixels a patch is wide)
    norm_epsilons            {'' or a publisher: what layer norms add to the variance}
    activation               Hugging Face's name of that of its blocks
    assumed                  what tensors do not tell, a text
    specials                 {special token: its id}, one below 0 from the end, of the vocabulary
    parts                    ((pattern, what it is), ...) of tensors that make another network"""

    def __init__(self, name, size, statistics=IMAGENET):
        self.name, self.size, self.statistics = name, size, statistics
        self.slots, self.aliases, self.pairs = {}, {}, []
        self.convs, self.norms, self.denses, self.pools, self.layers = {}, [], [], [], []
        self.first = self.flat_name = None            # first kernel, first dense kernel
        self.photos, self.reads = {}, 'pixels'
        self.groups, self.ported_epsilon = {}, None
        self.refit = self.grid = None
        self.norm_epsilons, self.heads, self.assumed, self.parts = {}, {}, '', ()
        self.operations, self.activation, self.specials = set(), None, {}

    def fitted(self, names):
        return self.refit(names) if self.refit else self

    def slot(self, base, part, shape, excused_by=()):
        slot = Slot(base, part, shape, excused_by)
        self.slots[slot.name] = slot

    def tensor(self, name, shape):
        """A tensor that is called by its whole name."""
        self.slot(name, '', shape)

    def alias(self, base, *names):
        for name in names:
            self.aliases[name] = base

    def conv(self, base, outputs, inputs, side, *aliases, norm=None, bias=True, stride=1,
             pad=None, groups=1):
        """A convolution; with `norm` followed by that batch norm, of which either the four
        tensors are there or, when folded, the convolution's bias."""
        if groups != 1:
            self.groups[base] = groups
            inputs = Share(inputs, groups) if groups else 1
        self.first = self.first or f'{base}.weight'
        self.convs[base] = (side, stride, side // 2 if pad is None else pad)
        self.slot(base, 'weight', (outputs, inputs, side, side))
        if bias or norm:
            self.slot(base, 'bias', (outputs,), () if bias else (norm,))
        if norm:
            self.norm(norm, outputs, excused_by=(f'{base}.bias',) if not bias else ())
            self.pairs.append((base, norm))
        self.alias(base, *aliases)

    def depthwise(self, base, width, side, *aliases, norm, stride):
        """A kernel for every channel; without a bias, as it always has a norm behind it."""
        self.conv(base, width, width, side, *aliases, norm=norm, bias=False, stride=stride,
                  groups=0)

    def norm(self, base, width, *aliases, excused_by=()):
        self.norms.append(base)
        for part in NORM_PARTS:
            self.slot(base, part, (width,), excused_by)
        self.alias(base, *aliases)

    def layer_norm(self, base, width):
        for part in ('weight', 'bias'):
            self.slot(base, part, (width,))

    def dense(self, base, outputs, inputs, *aliases, excused_by=()):
        self.flat_name = self.flat_name or f'{base}.weight'
        self.denses.append(base)
        self.slot(base, 'weight', (outputs, inputs), excused_by)
        self.slot(base, 'bias', (outputs,), excused_by)
        self.alias(base, *aliases)


# ---- families ------------------------------------------------------------------------------------

VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(depth, batch_norm):
    net = Architecture(f'vgg{depth}' + ('_bn' if batch_norm else ''), 224)
    place, inputs, number = 0, 3, 0
    for stage, convs in enumerate(VGG_STAGES[depth], 1):
        for conv in range(1, convs + 1):
            base, width = f'features.{place}', f'c{stage}_{conv}'
            net.conv(base, width, inputs, 3, f'features.conv{stage}_{conv}',
                     f'conv{stage}_{conv}', f'block{stage}_conv{conv}', f'vgg0_conv{number}',
                     norm=f'features.{place + 1}' if batch_norm else None)
            net.layers.append(f'conv{stage}_{conv}')
            place, inputs, number = place + (3 if batch_norm else 2), width, number + 1
        net.pools.append((2, 2, 0))
        place += 1
    single = ('classifier.weight',)                   # CIFAR variants with one dense layer
    net.dense('classifier.0', 'h1', 'flat', 'classifier.fc6', 'fc6', 'fc1', 'vgg0_dense0',
              'pre_logits.fc1', excused_by=single)
    net.dense('classifier.3', 'h2', 'h1', 'classifier.fc7', 'fc7', 'fc2', 'vgg0_dense1',
              'pre_logits.fc2', excused_by=single)
    net.dense('classifier.6', 'classes', 'h2', 'classifier.fc8', 'classifier.fc8a', 'fc8', 'fc8a',
              'predictions', 'vgg0_dense2', 'head.fc', excused_by=single)
    net.dense('classifier', 'classes', 'flat', 'linear', excused_by=('classifier.0.weight', 'any'))
    net.layers += ['fc6', 'fc7', 'fc8', 'logits']
    return net


RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3),
                 152: (3, 8, 36, 3)}


def resnet(depth, cifar=False, groups=1):
    name = f'resnet{depth}' if groups == 1 else f'resnext{depth}_{groups}x4d'
    net = Architecture(name + ('_cifar' if cifar else ''), 32 if cifar else 224,
                       CIFAR_GRADIENT_ALIGNMENT if cifar else IMAGENET)
    net.conv('conv1', 'stem', 3, 3 if cifar else 7, norm='bn1', bias=False,
             stride=1 if cifar else 2)
    net.pools += [] if cifar else [(3, 2, 1)]
    net.layers += ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4', 'avgpool', 'logits']
    before = 'stem'
    for stage, blocks in enumerate(RESNET_BLOCKS[depth], 1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            base = f'layer{stage}.{block}'
            inner = f'{base}.inner'
            after = before if depth < 50 and stage == 1 else f'stage{stage}'
            if depth < 50:
                net.conv(f'{base}.conv1', inner, before, 3, norm=f'{base}.bn1', bias=False,
                         stride=stride)
                net.conv(f'{base}.conv2', after, inner, 3, norm=f'{base}.bn2', bias=False)
            else:
                net.conv(f'{base}.conv1', inner, before, 1, norm=f'{base}.bn1', bias=False)
                net.conv(f'{base}.conv2', inner, inner, 3, norm=f'{base}.bn2', bias=False,
                         stride=stride, groups=groups)
                net.conv(f'{base}.conv3', after, inner, 1, norm=f'{base}.bn3', bias=False)
            if block == 0 and after != before:
                net.conv(f'{base}.downsample.0', after, before, 1, f'{base}.shortcut.0',
                         norm=f'{base}.downsample.1', bias=False, stride=stride)
                net.alias(f'{base}.downsample.1', f'{base}.shortcut.1')
            before = after
    net.dense('fc', 'classes', before, 'linear')
    return net


def resnet_option_a(depth):
    """The CIFAR networks of He et al., section 4.2: parameter-free shortcuts."""
    net = Architecture(f'resnet{depth}', 32)
    net.conv('conv1', 'stage1', 3, 3, norm='bn1', bias=False)
    net.layers += ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'avgpool', 'logits']
    before = 'stage1'
    for stage in (1, 2, 3):
        for block in range((depth - 2) // 6):
            base, after = f'layer{stage}.{block}', f'stage{stage}'
            net.conv(f'{base}.conv1', f'{base}.inner', before, 3, norm=f'{base}.bn1', bias=False,
                     stride=2 if stage > 1 and block == 0 else 1)
            net.conv(f'{base}.conv2', after, f'{base}.inner', 3, norm=f'{base}.bn2', bias=False)
            before = after
    net.dense('linear', 'classes', before, 'fc')
    return net


def resnet50_v2():
    """Pre-activation bottlenecks; Gluon's numbering runs through a stage in execution order."""
    net = Architecture('resnet50_v2', 224)
    net.norm('bn0', 3, 'batchnorm0')
    net.conv('conv1', 'stem', 3, 7, 'conv0', norm='bn1', bias=False, stride=2)
    net.pools.append((3, 2, 1))
    net.layers += ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4', 'bn2', 'avgpool',
                   'logits']
    net.alias('bn1', 'batchnorm1')
    before = 'stem'
    for stage, blocks in enumerate(RESNET_BLOCKS[50], 1):
        number = 0
        for block in range(blocks):
            base, after = f'layer{stage}.{block}', f'stage{stage}'
            gluon = [f'stage{stage}_conv{number + i}' for i in range(4)]
            norms = [f'stage{stage}_batchnorm{3 * block + i}' for i in range(3)]
            stride = 2 if stage > 1 and block == 0 else 1
            net.norm(f'{base}.bn1', before, norms[0])
            net.conv(f'{base}.conv1', f'{base}.inner', before, 1, gluon[0], norm=f'{base}.bn2',
                     bias=False)
            net.conv(f'{base}.conv2', f'{base}.inner', f'{base}.inner', 3, gluon[1],
                     norm=f'{base}.bn3', bias=False, stride=stride)
            net.conv(f'{base}.conv3', after, f'{base}.inner', 1, gluon[2], bias=False)
            net.alias(f'{base}.bn2', norms[1])
            net.alias(f'{base}.bn3', norms[2])
            if block == 0:
                net.conv(f'{base}.downsample', after, before, 1, gluon[3], bias=False,
                         stride=stride)
            number += 4 if block == 0 else 3
            before = after
    net.norm('bn2', before, 'batchnorm2')
    net.dense('fc', 'classes', before, 'dense0')
    return net


def alexnet():
    net = Architecture('alexnet', 224)
    inputs = 3
    for number, (place, side) in enumerate(((0, 11), (3, 5), (6, 3), (8, 3), (10, 3)), 1):
        net.conv(f'features.{place}', f'c{number}', inputs, side, f'features.conv{number}',
                 stride=4 if number == 1 else 1, pad=2 if number == 1 else None)
        inputs = f'c{number}'
    net.dense('classifier.1', 'h1', 'flat', 'classifier.fc6')
    net.dense('classifier.4', 'h2', 'h1', 'classifier.fc7')
    net.dense('classifier.6', 'classes', 'h2', 'classifier.fc8')
    net.pools += 3 * [(3, 2, 0)]
    net.layers += [f'conv{number}' for number in range(1, 6)] + ['fc6', 'fc7', 'fc8', 'logits']
    return net


def alexnet_groups():
    """As Caffe has it: three convolutions in two groups, response normalisation behind two pools."""
    net = Architecture('alexnet_groups', 227)
    net.operations = {'LRN'}
    inputs = 3
    for number, (side, groups) in enumerate(((11, 1), (5, 2), (3, 1), (3, 2), (3, 2)), 1):
        net.conv(f'conv{number}', f'c{number}', inputs, side, f'features.conv{number}',
                 stride=4 if number == 1 else 1, pad=0 if number == 1 else None, groups=groups)
        inputs = f'c{number}'
    dense = (('h1', 'flat'), ('h2', 'h1'), ('classes', 'h2'))
    for number, (outputs, inner) in enumerate(dense, 6):
        net.dense(f'fc{number}', outputs, inner, f'classifier.fc{number}')
    net.pools += 3 * [(3, 2, 0)]
    net.layers += [f'conv{number}' for number in range(1, 6)] + ['fc6', 'fc7', 'fc8', 'logits']
    return net


def densenet121():
    net = Architecture('densenet121', 224)
    net.conv('features.conv0', 'stem', 3, 7, norm='features.norm0', bias=False, stride=2)
    net.pools.append((3, 2, 1))
    net.layers += ['conv0', 'norm0']
    widths = ['stem']
    for block, layers in enumerate((6, 12, 24, 16), 1):
        for layer in range(1, layers + 1):
            base = f'features.denseblock{block}.denselayer{layer}'
            net.norm(f'{base}.norm1', tuple(widths), f'{base}.norm.1')
            net.conv(f'{base}.conv1', f'{base}.inner', tuple(widths), 1, f'{base}.conv.1',
                     norm=f'{base}.norm2', bias=False)
            net.alias(f'{base}.norm2', f'{base}.norm.2')
            net.conv(f'{base}.conv2', 'growth', f'{base}.inner', 3, f'{base}.conv.2', bias=False)
            widths.append('growth')
        net.layers.append(f'denseblock{block}')
        if block < 4:
            base = f'features.transition{block}'
            net.norm(f'{base}.norm', tuple(widths))
            net.conv(f'{base}.conv', f'transition{block}', tuple(widths), 1, bias=False)
            net.layers.append(f'transition{block}')
            widths = [f'transition{block}']
    net.norm('features.norm5', tuple(widths))
    net.dense('classifier', 'classes', tuple(widths))
    net.layers += ['norm5', 'avgpool', 'logits']
    return net


def squeezenet(version):
    net = Architecture(f'squeezenet{version}', 224)
    places = {'1.0': (3, 4, 5, 7, 8, 9, 10, 12), '1.1': (3, 4, 6, 7, 9, 10, 11, 12)}[version]
    net.conv('features.0', 'stem', 3, 7 if version == '1.0' else 3, 'squeezenet0_conv0', stride=2,
             pad=0)
    net.pools += 3 * [(3, 2, 0)]
    net.layers += ['conv1'] + [f'fire{number}' for number in range(2, 10)] + ['conv10', 'logits']
    before, number = ('stem',), 1
    for place in places:
        base = f'features.{place}'
        parts = [(f'{base}.squeeze', before, 1), (f'{base}.expand1x1', f'{base}.s', 1),
                 (f'{base}.expand3x3', f'{base}.s', 3)]
        for (name, inputs, side), output in zip(parts, ('s', 'a', 'b')):
            net.conv(name, f'{base}.{output}', inputs, side, f'squeezenet0_conv{number}')
            number += 1
        before = (f'{base}.a', f'{base}.b')
    net.conv('classifier.1', 'classes', before, 1, f'squeezenet0_conv{number}')
    return net


def lenet():
    net = Architecture('lenet', 32, CIFAR_GRADIENT_ALIGNMENT)
    inputs = 3
    for name in ('conv11', 'conv12', 'conv21', 'conv22'):
        net.conv(name, name, inputs, 3)
        inputs = name
    net.dense('fc1', 'h1', 'flat')
    net.dense('fc2', 'classes', 'h1')
    net.pools += 2 * [(2, 2, 0)]
    net.layers += ['conv11', 'conv12', 'conv21', 'conv22', 'fc1', 'logits']
    return net


@lru_cache(maxsize=None)
def all_architectures():
    """In the order in which ties are decided: what is most likely held comes first."""
    from depthwise import depthwise_networks          # made of what is above
    from encoders import encoders
    from milan import milans
    return ([vgg(depth, batch_norm) for batch_norm in (False, True) for depth in (16, 19, 13, 11)]
            + [resnet(depth) for depth in (50, 18, 34, 101, 152)] + [resnet(18, cifar=True)]
            + [resnet_option_a(depth) for depth in (20, 32, 44, 56)]
            + [resnet50_v2(), alexnet(), densenet121(), squeezenet('1.1'), squeezenet('1.0'),
               lenet(), resnet(50, groups=32), alexnet_groups()] + depthwise_networks()
            + encoders() + milans())
