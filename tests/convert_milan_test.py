"""Tests of weights/convert.py with checkpoints of MILAN: nested properties, inert objects, words.
"""

import os
import struct
import sys
import zipfile

sys.dont_write_bytecode = True

from checkpoints import (DATA, Skip, integer, path_of, product, pth, pth_entries, read_blob, run,
                         run_tests, state_pickle, stored_zip, tests_of, text, write)
from milan import ENCODER
from small_networks import prefixed, refused, small
from readers import recogniser

MILAN = small('milan')
WORDS = ('red', 'things', 'blue-ish', 'naïve')


class Raw(bytes):
    """A pickle as it is."""


def plain(value):
    """The pickle of a value, without its protocol and end."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return b'}(' + b''.join(text(key) + plain(item) for key, item in value.items()) + b'u'
    if isinstance(value, (tuple, list)):
        return b'(' + b''.join(map(plain, value)) + b't'
    if isinstance(value, float):
        return b'G' + struct.pack('>d', value)
    if isinstance(value, str):
        return text(value)
    return integer(value) if type(value) is int else {None: b'N', True: b'\x88',
                                                      False: b'\x89'}[value]


def pipeline(size):
    """spaCy's settings, a subclass of dict with attributes, and its pipeline as a text."""
    settings = b'cthinc.config\nConfig\n)\x81(' + text('lang') + text('en') + b'u}' \
        + text('is_interpolated') + b'\x88sb'
    pipe = b'c_codecs\nencode\n(' + text('x' * size) + text('latin1') + b'tR'
    return Raw(b'(' + settings + pipe + b't')


def indexer(words=WORDS, size=100, **change):
    return {'properties': {'vocab': {'properties': {'tokens': words}, 'children': {}},
                           'tokenize': {'properties': {'nlp': pipeline(size)}, 'children': {}},
                           'start': True, 'stop': True, 'pad': True, 'unk': True, 'length': None,
                           **change}, 'children': {}}


def milan(words=WORDS, size=100, of_model=None, change=(), tensors=MILAN, encoder='resnet101',
          **settings):
    """The bytes of a checkpoint; `change` goes into the indexer, `settings` into the properties."""
    properties = {'indexer': indexer(words, size, **dict(change)),
                  'encoder': {'properties': {'config': encoder, 'pretrained': True},
                              'children': {}},
                  'lm': {'properties': {'indexer': indexer(of_model or words, size),
                                        'layers': 2}, 'children': {}},
                  'attention_hidden_size': None, 'dropout': 0.5, 'length': 15,
                  'strategy': 'rerank', 'temperature': 0.2, 'beam_size': 50, **settings}
    return pth(b'\x80\x02' + plain({'properties': properties, 'children':
                                    {'encoder': 'PyramidConvEncoder'},
                                    'state_dict': Raw(state_pickle(tensors)[2:-1])}) + b'.',
               tensors=tensors)


def test_one_blob_has_tensors_words_and_settings():
    write('a.pth', milan())
    out = path_of('milan.nw')
    code, _, errors = run(path_of('a.pth'), '-o', out)
    assert code == 0 and 'stepped over' not in errors, errors
    tensors, about = read_blob(out)
    assert tensors.pop('words') == ((27,), 3, 'red\nthings\nblue-ish\nnaïve\n'.encode())
    assert set(tensors) == set(MILAN)
    for name, (shape, _) in MILAN.items():
        assert tensors[name][0] == shape, name
    assert about['architecture'] == 'milan' and about['complete'] == 'yes'
    assert (about['encoder'], about['length'], about['strategy'], about['temperature'],
            about['beam_size']) == ('resnet101', '15', 'rerank', '0.2', '50')


def test_the_first_kernel_is_not_folded():
    """It is read before its norm."""
    write('a.pth', milan())
    out = path_of('milan.nw')
    assert run(path_of('a.pth'), '-o', out, '--fold-batchnorm')[0] == 0
    tensors, _ = read_blob(out)
    assert 'encoder.encoder.model.bn1.running_var' in tensors
    assert 'encoder.encoder.model.layer1.0.bn1.running_var' not in tensors


def test_alexnet_may_look():
    """The other network of the published code that captioners are made with."""
    decoder = {name: item for name, item in MILAN.items() if not name.startswith(ENCODER)}
    tensors = {**decoder, **prefixed(ENCODER, small('alexnet'))}
    write('a.pth', milan(tensors=tensors, encoder='alexnet'))
    out = path_of('milan.nw')
    code, _, errors = run(path_of('a.pth'), '-o', out)
    assert code == 0, errors
    found, about = read_blob(out)
    assert set(found) - {'words'} == set(tensors), set(found) ^ set(tensors)
    assert about['encoder'] == 'alexnet'
    assert about['architecture'] == 'milan' and about['complete'] == 'yes'


def test_large_pipelines_are_stepped_over():
    """Two of 14 MB, as spaCy's English has; in no more memory than the pickle twice."""
    write('large.pth', milan(size=14 << 20))
    code, _, errors = run(path_of('large.pth'), '-o', path_of('milan.nw'))
    assert code == 0, errors
    assert recogniser.MAX_PICKLE == 128 << 20
    path = path_of('larger.pth')
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        with archive.open('net/data.pkl', 'w') as entry:
            for _ in range(129):
                entry.write(bytes(1 << 20))
    refused('larger.pth', 'the limit is 134217728')
    os.unlink(path)


def test_words_that_do_not_fit_are_refused():
    for options, what in (({'words': WORDS[:3]}, 'has 3 words and 4 special tokens'),
                          ({'words': ()}, 'holds no words'),
                          ({'words': WORDS[:3] + ('two\nlines',)}, 'its word 3 is not a text'),
                          ({'words': WORDS[:3] + ('two words',)}, 'its word 3 is not a text'),
                          ({'words': WORDS[:3] + ('',)}, 'its word 3 is not a text'),
                          ({'words': WORDS[:3] + (7,)}, 'its word 3 is not a text'),
                          ({'words': WORDS[:3] + ('w' * 2000,)}, 'its word 3 is not a text'),
                          ({'words': WORDS[:3] + ('red',)}, 'has a word twice'),
                          ({'of_model': WORDS[::-1]}, 'have different words'),
                          ({'change': {'unk': False}}, 'lack the special token <unk>'),
                          ({'change': {'vocab': None}}, 'holds no words'),
                          ({'strategy': 'a=b\nc'}, "its setting 'strategy'"),
                          ({'beam_size': 0}, "its setting 'beam_size' is no whole number in 1"),
                          ({'beam_size': 'many'}, "its setting 'beam_size' is no whole number"),
                          ({'temperature': float('nan')}, "'temperature' is no number in 0 to")):
        write('a.pth', milan(**options))
        refused('a.pth', what)
    write('a.pth', stored_zip(pth_entries(MILAN)))
    refused('a.pth', 'holds no words')


def test_the_thin_checkpoint():
    path = os.path.join(DATA, 'reference', 'milan_thin.pth')
    if not os.path.exists(path):
        raise Skip('no milan_thin.pth')
    out = path_of('milan.nw')
    code, _, errors = run(path, '-o', out)
    assert code == 0, errors
    tensors, about = read_blob(out)
    words = open(os.path.join(DATA, 'reference', 'milan_words.txt'), 'rb').read()
    assert tensors['words'] == ((len(words),), 3, words) and about['complete'] == 'yes'
    assert tensors['lstm.weight_ih'][0] == (192, 144) and about['encoder'] == 'resnet18'
    assert sum(product(shape) for shape, kind, _ in tensors.values() if kind == 1) > 250000


if __name__ == '__main__':
    sys.exit(run_tests('milan', tests_of(globals())))
