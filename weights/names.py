"""From the names publishers give tensors to those of architectures.py, and where a network starts.

A name is taken apart at dots and slashes. Wrappers (`module.` of DataParallel, `_orig_mod.` of
torch.compile) may stand anywhere in it. What stands before the first kernel of a network is its
root: `model.` of Lightning, `module.encoder_q.` of MoCo, `student.backbone.`."""

import re

PARTS = {'weight': 'weight', 'kernel': 'weight', 'gamma': 'weight', 'bias': 'bias', 'beta': 'bias',
         'running_mean': 'running_mean', 'moving_mean': 'running_mean',
         'running_var': 'running_var', 'moving_variance': 'running_var',
         'moving_var': 'running_var'}
SOURCE_NAME = re.compile(r'(?:resnetv2\d_)?(.+?)[./_](' + '|'.join(PARTS) + r')(?::0)?')
COUNTERS = re.compile(r'(.*[./_])?(num_batches_tracked|_metadata|total_ops|total_params|'
                      r'n_averaged|position_ids|input_resolution|context_length|vocab_size)')
WRAPPERS = ('module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module')
WRAPPER = re.compile(r'(?:(?<=^)|(?<=[./]))(?:' + '|'.join(WRAPPERS) + r')\.')
HUGGING_FACE = ((re.compile(r'(^|.*[./])embedder\.embedder\.convolution\.(\w+)'), r'\1conv1.\2'),
                (re.compile(r'(^|.*[./])embedder\.embedder\.normalization\.(\w+)'), r'\1bn1.\2'))
HUGGING_FACE_BLOCK = re.compile(r'(^|.*[./])encoder\.stages\.(\d+)\.layers\.(\d+)\.'
                                r'(?:layer\.(\d+)|shortcut)\.(convolution|normalization)\.(\w+)')

CHILDREN = {'0': 'conv1', '1': 'bn1', '4': 'layer1', '5': 'layer2', '6': 'layer3', '7': 'layer4'}


def unwrapped(name):
    return WRAPPER.sub('', name)


def hugging_face(name):
    """transformers' ResNet under torchvision's names."""
    for pattern, there in HUGGING_FACE:
        name = pattern.sub(there, name)
    block = HUGGING_FACE_BLOCK.fullmatch(name)
    if block:
        root, stage, number, inner, kind, part = block.groups()
        is_conv = kind == 'convolution'
        layer = f"downsample.{0 if is_conv else 1}" if inner is None else \
            f"{'conv' if is_conv else 'bn'}{int(inner) + 1}"
        return f'{root}layer{int(stage) + 1}.{number}.{layer}.{part}'
    if name in ('classifier.1.weight', 'classifier.1.bias'):
        return 'resnet.fc.' + name.rpartition('.')[2]
    return name


def numbered(names):
    """`names` as torchvision has them, where a Sequential of a ResNet's children numbered them (0 the
    stem, 1 its norm, 4 to 7 the stages), as feature extractors and fastai's bodies are built."""
    for name in list(names):
        root = name[:-len('0.weight')]
        if name == root + '0.weight' and f'{root}1.running_var' in names and \
                f'{root}4.0.conv1.weight' in names and (not root or root[-1] in './'):
            step = re.compile('^' + re.escape(root) + '(' + '|'.join(CHILDREN) + r')\.')
            return {step.sub(lambda at: f'{root}{CHILDREN[at[1]]}.', old): tensor
                    for old, tensor in names.items()}
    return names


def cleaned(tensors):
    """{name without wrappers, in the known spelling: tensor}, counters left out."""
    names = {}
    foreign = any('embedder.embedder.convolution' in tensor.name for tensor in tensors)
    is_headed = foreign and any(tensor.name.startswith('resnet.') for tensor in tensors)
    for tensor in tensors:
        if COUNTERS.fullmatch(tensor.name):
            continue
        name = unwrapped(tensor.name)
        if foreign and (is_headed or not name.startswith('classifier.')):
            name = hugging_face(name)
        names[name if name not in names else tensor.name] = tensor
    return numbered(with_their_head(names))


def with_their_head(names):
    """Hugging Face's vision transformers have their head beside the rest, not in it."""
    for root in ('vit.', 'deit.'):
        if f'{root}embeddings.cls_token' in names:
            return {root + name if name.startswith('classifier.') else name: tensor
                    for name, tensor in names.items()}
    return names


def taken_apart(name):
    """(base, part) of a tensor's name, or None."""
    parts = SOURCE_NAME.fullmatch(name)
    return (parts[1], PARTS[parts[2]]) if parts else None


def roots(names, first_bases):
    """Every root at which a first kernel for color pictures or a table of words lies, shortest
    first; first_bases is {base: rank of its tensor}."""
    found = {}
    for name, tensor in names.items():
        rank = len(tensor.shape)
        if rank not in (2, 4) or rank == 4 and tensor.shape[1] != 3:
            continue
        for start in [0] + [at.end() for at in re.finditer('[./]', name)]:
            parts = taken_apart(name[start:])
            if parts and parts[1] == 'weight' and first_bases.get(parts[0]) == rank:
                found[name[:start]] = name
    return sorted(found, key=len)
