"""Vocabularies in a blob: what is published comes out as the two tensors of DESIGN.md, what is
broken is refused with a sentence, and the tables of text/ are what text/tables.py writes."""

import gzip
import json
import os
import subprocess
import sys
import unicodedata

sys.dont_write_bytecode = True

from checkpoints import (EXIT_DATA, EXIT_NOT_FOUND, EXIT_USAGE, HERE, Skip, path_of, pth, read_blob,
                         run, run_tests, tests_of, write)
import encoders
import vocabulary
from readers.source import Misused, Refused

TABLES = os.path.join(HERE, '..', 'text', 'tables.py')
LETTERS = vocabulary.letters()
MERGES = '#version: 0.2\nt h\nth e</w>\n\u0120 t\n'
TOKENS = ['<s>', '</s>', *LETTERS, 'th', 'the</w>', '\u0120t', 'e</w>']


def files(merges=MERGES, tokens=TOKENS):
    """Paths of a list of merges and a vocabulary; a text or bytes are written as they are."""
    if isinstance(tokens, list):
        tokens = json.dumps({token: number for number, token in enumerate(tokens)})
    return [write(name, data if isinstance(data, bytes) else data.encode())
            for name, data in (('merges.txt', merges), ('vocab.json', tokens))]


def texts(merges_path, vocabulary_path=None):
    out = {}
    for name, shape, kind, blocks in vocabulary.vocabulary_tensors(merges_path, vocabulary_path):
        data = b''.join(blocks())
        assert kind == 'u8' and shape == (len(data),)
        out[name] = data.decode()
    return out


def refused(sentence, merges_path, vocabulary_path=None, error=Refused, net=None, rows=None):
    try:
        vocabulary.vocabulary_tensors(merges_path, vocabulary_path, net, rows)
    except error as found:
        assert sentence in str(found), found
        return
    raise AssertionError(f'not refused: {sentence}')


def test_letters():
    assert len(set(LETTERS)) == 256 and LETTERS[0] == '!' and LETTERS[188] == '\u0100'
    assert LETTERS[188 + ord(' ')] == '\u0120' and LETTERS[-1] == '\u0143'


def test_published_pairs():
    out = texts(*files())
    assert out['vocabulary'] == ''.join(token + '\n' for token in TOKENS)
    assert out['merges'] == 't h\nth e</w>\n\u0120 t\n'
    assert texts(*files(MERGES.replace('\n', '\r\n')))['merges'] == out['merges']
    assert texts(*files(MERGES.split('\n', 1)[1].rstrip('\n')))['merges'] == out['merges']


def test_clip_has_its_ids_in_its_merges():
    list_ = '"bpe_simple_vocab_16e6.txt#version: 0.2\nt h\nth e</w>\n'
    packed = write('clip.txt.gz', gzip.compress(list_.encode()))
    for path in (write('clip.txt', list_.encode()), packed):
        out = texts(path)
        tokens = out['vocabulary'].split('\n')
        assert len(tokens) == 516 + 1 and tokens[0] == '!' and tokens[256] == '!</w>'
        assert tokens[512:] == ['th', 'the</w>', '<|startoftext|>', '<|endoftext|>', '']
        assert out['merges'] == 't h\nth e</w>\n'


def test_clip_takes_no_more_than_its_ids():
    many = ''.join(f'{"a" * i} a</w>\n' for i in range(1, 4))
    limit, vocabulary.CLIP_MERGES = vocabulary.CLIP_MERGES, 1
    try:
        assert texts(write('clip.txt', b'#version\n' + many.encode()))['merges'] == 'a a</w>\n'
    finally:
        vocabulary.CLIP_MERGES = limit


def test_broken_merges():
    for merges, sentence in (
            ('a b c\n', 'line 1 is not two tokens'), ('#version\nab\n', 'line 2 is not two tokens'),
            ('t h\n\n', 'line 2 is not two tokens'), (' h\n', 'line 1 is not two tokens'),
            ('', 'has no merges'), ('#version: 0.2\n', 'has no merges'),
            ('t h\nt h\n', 'merge 2 is there twice'),
            ('xx h\n', 'merge 1 begins with what is no token'),
            ('t xx\n', 'merge 1 ends in what is no token'),
            ('t t\n', 'merge 1 makes what is no token'), (b't \xff\n', 'byte 2 is not UTF-8'),
            (b'\x1f\x8bxx', 'gzip data is cut short or broken'),
            (gzip.compress(MERGES.encode())[:-9], 'gzip data is cut short or broken')):
        refused(sentence, *files(merges))


def test_broken_vocabularies():
    for tokens, sentence in (
            ('[1]', 'is not one object'), ('{"a": "b"}', 'is not one object'),
            ('{"a": true}', 'is not one object'), ('{"a": 1.5}', 'is not one object'),
            ('{', 'is no JSON'), ('[' * 100000, 'is no JSON'),
            ('{"a": 1' + '0' * 5000 + '}', 'is no JSON'),
            ('{"a": 0, "a": 1}', 'has a token twice'),
            ('{"a": 0, "b": 2}', 'has 2 tokens, but none has the id 1'),
            ('{"a": 0, "b": 0}', 'has 2 tokens, but none has the id 1'),
            ('{"a": -1}', 'has 1 tokens, but none has the id 0'),
            (TOKENS + [''], 'the token of id 262 is empty or holds'),
            (TOKENS + ['a b'], 'the token of id 262 is empty or holds'),
            (TOKENS + ['a\n'], 'the token of id 262 is empty or holds'),
            (TOKENS + ['\ud800'], 'the token of id 262 is empty or holds'),
            (TOKENS + ['x' * 1025], 'the token of id 262 is longer than 1024 bytes'),
            (TOKENS[:2] + TOKENS[5:], '3 of the 256 bytes have no token')):
        refused(sentence, *files(tokens=tokens))


def test_limits():
    merges, tokens = files()
    for name, low, sentence in (('MAX_TOKENS', 2, 'has more than 2 merges'),
                                ('MAX_TOKENS', 3, 'tokens, the limit is 3'),
                                ('MAX_BYTES', 20, 'bytes, the limit is 20')):
        kept = getattr(vocabulary, name)
        setattr(vocabulary, name, low)
        try:
            refused(sentence, merges, tokens)
        finally:
            setattr(vocabulary, name, kept)
    kept, vocabulary.MAX_BYTES = vocabulary.MAX_BYTES, 1 << 12
    try:
        refused('unpacks to more than 4096 bytes',
                write('bomb.gz', gzip.compress(bytes(1 << 20))))
        vocabulary.MAX_BYTES = 1000
        refused("'vocabulary' has 2", write('clip.txt', b't h\nth e</w>\n'))
    finally:
        vocabulary.MAX_BYTES = kept


def test_files_that_do_not_fit():
    merges, tokens = files()
    refused('--vocabulary FILE is needed', write('plain.txt', b't h\n'))
    refused('--vocabulary FILE needs --merges FILE', None, tokens, error=Misused)
    refused('two merges make the same token',
            write('twice.txt', b'a b\nab c</w>\nb c</w>\na bc</w>\n'))
    refused('is a folder, expected a file', path_of('.'))


def test_vocabularies_of_other_networks():
    clip = write('clip.txt', b't h\nth e</w>\n')
    roberta = ['<s>', '<pad>', '</s>', *TOKENS[2:]]
    for net, tokens in ((encoders.roberta(), roberta), (encoders.clip_vit(), None)):
        paths = files(tokens=roberta) if tokens else (clip, None)
        vocabulary.vocabulary_tensors(*paths, net, len(tokens or LETTERS * 2) + 4)
    refused("the token of id 0 is '!', roberta was trained with '<s>' there",
            *files(tokens=TOKENS[2:]), net=encoders.roberta())
    refused("the token of id 1 is '</s>', roberta was trained with '<pad>' there",
            *files(), net=encoders.roberta())
    refused("clip_vit was trained with '<|startoftext|>' there", *files(tokens=roberta),
            net=encoders.clip_vit())
    refused('has 263 tokens, the network has rows for 262', *files(tokens=roberta),
            net=encoders.roberta(), rows=262)


def test_the_converter_takes_them():
    merges, tokens = files()
    net, out = write('net.pth', pth()), path_of('out.nw')
    code, printed, errors = run(net, '-o', out, '--merges', merges, '--vocabulary', tokens)
    assert code == 0 and errors.count('error') == 0, errors
    tensors, about = read_blob(out)
    assert tensors['merges'][2] == 't h\nth e</w>\n\u0120 t\n'.encode()
    assert tensors['vocabulary'][2].decode().split('\n')[:2] == ['<s>', '</s>']
    for code, words in ((EXIT_USAGE, ('--vocabulary', tokens)),
                        (EXIT_DATA, ('--merges', tokens)),
                        (EXIT_NOT_FOUND, ('--merges', path_of('nowhere')))):
        if os.path.exists(out):
            os.unlink(out)
        found, _, errors = run(net, '-o', out, *words)
        assert found == code and errors.startswith('error: ') and not os.path.exists(out), errors


def test_tables_are_those_of_python():
    if unicodedata.unidata_version != '14.0.0':
        raise Skip("Python's Unicode is not 14.0.0")
    done = subprocess.run([sys.executable, TABLES, '--check'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


if __name__ == '__main__':
    sys.exit(run_tests('vocabulary', tests_of(globals())))
