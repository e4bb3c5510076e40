"""MILAN (Hernandez et al., ICLR 2022): a network that looks at pictures, an LSTM that describes what
it sees, and a language model. Its checkpoints hold words and settings beside the tensors."""

import re

from architectures import RESNET_BLOCKS, Architecture, alexnet, resnet
from encoders import MOST_LAYERS, depth
from readers.source import Refused

ENCODER = 'encoder.encoder.model.'
SPECIALS = ('start', 'stop', 'pad', 'unk')             # in the order of their ids behind the words
MAX_WORDS, MAX_WORD_BYTES, MAX_BYTES = 1 << 20, 1024, 1 << 26  # as text/word_list.h has them
BETWEEN_WORDS = re.compile('[\x00-\x20\x7f\x85\u2028\u2029]')


def encoder_in(names):
    """(network, layers that are read) of what looks: AlexNet, or the ResNet whose blocks the names
    have."""
    if f'{ENCODER}features.0.weight' in names:
        return alexnet(), [f'conv{number}' for number in range(1, 6)]
    return resnet_in(names), ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']


def resnet_in(names):
    layers = tuple(depth(names, re.escape(f'{ENCODER}layer{stage}.'), 0) for stage in (1, 2, 3, 4))
    is_deep = f'{ENCODER}layer1.0.conv3.weight' in names
    for size, blocks in RESNET_BLOCKS.items():
        if blocks == layers and is_deep == (size >= 50):
            return resnet(size)
    return resnet(101)


def milan(names=()):
    net = Architecture('milan', 224)
    inner, layers = encoder_in(names)
    net.refit, net.first = milan, ENCODER + inner.first
    for part in ('mean', 'std'):
        net.tensor(f'encoder.{part}', (1, 3, 1, 1))
    for slot in inner.slots.values():
        net.slot(ENCODER + slot.base, slot.part, slot.shape,
                 tuple(ENCODER + excuse for excuse in slot.excused_by))
    net.norms = [ENCODER + norm for norm in inner.norms]
    net.convs = {ENCODER + base: window for base, window in inner.convs.items()}
    net.pools, net.layers = inner.pools, layers
    net.pairs = [(ENCODER + conv, ENCODER + norm) for conv, norm in inner.pairs
                 if conv != 'conv1']                   # which is read before its norm
    for base in ('init_h.0', 'init_c.0'):
        net.dense(base, 'hidden', 'features')
    net.slot('embedding', 'weight', ('vocabulary', 'embedding'))
    net.dense('attend.query_to_hidden', 'attention', 'hidden')
    net.dense('attend.key_to_hidden', 'attention', 'features')
    net.dense('attend.output.0', 1, 'attention')
    net.dense('feature_gate.0', 'features', 'hidden')
    lstm(net, 'lstm', '', ('embedding', 'features'), 'hidden')
    net.dense('output.1', 'vocabulary', 'hidden')
    net.slot('lm.embedding', 'weight', ('vocabulary', 'lm_embedding'))
    layers = len([name for name in names if name.startswith('lm.lstm.weight_ih_l')]) or 2
    for layer in range(min(layers, MOST_LAYERS)):
        lstm(net, 'lm.lstm', f'_l{layer}', 'lm_hidden' if layer else 'lm_embedding', 'lm_hidden')
    net.dense('lm.output.0', 'vocabulary', 'lm_hidden')
    return net


def milans():
    """One for each family of networks that look, whose first kernels have different names."""
    return [milan(), milan((f'{ENCODER}features.0.weight',))]


def lstm(net, base, end, inputs, hidden):
    """torch's gates in one matrix: input, forget, cell, output."""
    gates = (hidden,) * 4
    net.tensor(f'{base}.weight_ih{end}', (gates, inputs))
    net.tensor(f'{base}.weight_hh{end}', (gates, hidden))
    net.tensor(f'{base}.bias_ih{end}', (gates,))
    net.tensor(f'{base}.bias_hh{end}', (gates,))


# ---- words and settings --------------------------------------------------------------------------

def inside(properties, *path):
    """properties[a]['properties'][b]['properties'] ..., {} where one is not there."""
    for step in path:
        part = properties.get(step)
        properties = part.get('properties') if type(part) is dict else None
        if type(properties) is not dict:
            return {}
    return properties


def words_of(indexer):
    """The words of an indexer, one a line; checked, since they are read by line."""
    words = inside(indexer, 'vocab').get('tokens')
    if type(words) not in (tuple, list) or not words:
        raise Refused('holds no words (properties, indexer, vocab, tokens)')
    if len(words) > MAX_WORDS:
        raise Refused(f'has {len(words)} words, the limit is {MAX_WORDS}')
    lacking = [special for special in SPECIALS if indexer.get(special) is not True]
    if lacking:
        raise Refused(f"its words lack the special token <{lacking[0]}>, which MILAN's have")
    for number, word in enumerate(words):
        if type(word) is not str or not 0 < len(word.encode('utf-8', 'replace')) <= \
                MAX_WORD_BYTES or BETWEEN_WORDS.search(word):
            raise Refused(f'its word {number} is not a text of 1 to {MAX_WORD_BYTES} bytes without '
                          'spaces and line ends')
    if sum(len(word.encode('utf-8', 'replace')) + 1 for word in words) > MAX_BYTES:
        raise Refused(f'has words of more than {MAX_BYTES} bytes together')
    if len(set(words)) != len(words):
        raise Refused('has a word twice')
    return tuple(words)


def settings(properties, match):
    """(keys of `about`, words of the blob as bytes) of a checkpoint of MILAN."""
    words = words_of(inside(properties, 'indexer'))
    of_model = inside(properties, 'lm', 'indexer')
    if of_model and words_of(of_model) != words:
        raise Refused('its decoder and its language model have different words')
    rows = match.widths.get('vocabulary')
    if rows not in (None, len(words) + len(SPECIALS)):
        raise Refused(f'has {len(words)} words and {len(SPECIALS)} special tokens, its tables have '
                      f'{rows} rows')
    keys = {'encoder': inside(properties, 'encoder').get('config'),
            **{key: properties.get(key) for key in ('length', 'strategy', 'temperature',
                                                    'beam_size')}}
    for key, value in keys.items():
        if value is None:
            continue
        if key in ('encoder', 'strategy'):
            fits, what = type(value) is str and re.fullmatch(r'[\w.-]{1,64}', value), 'plain word'
        elif key == 'temperature':
            fits, what = type(value) in (int, float) and 0 < value <= 100, 'number in 0 to 100'
        else:
            fits, what = type(value) is int and 0 < value <= 100000, 'whole number in 1 to 100000'
        if not fits:
            raise Refused(f"its setting '{key}' is no {what}")
    return keys, ''.join(f'{word}\n' for word in words).encode()
