"""The published vocabularies of CLIP, GPT-2 and RoBERTa as the two tensors of a blob that
text/text.h reads: `vocabulary`, a token a line in order of ids, and `merges`, two tokens a line."""

import gzip
import io
import json
import os
import zlib

from readers.source import Misused, Refused, file_view

MAX_BYTES = 1 << 26        # limits of text/text.h
MAX_TOKENS = 1 << 20
MAX_TOKEN_BYTES = 1024
CLIP_MERGES = 49152 - 256 - 2                         # CLIP takes no more of its longer list
WORD_END, SPECIALS = '</w>', ('<|startoftext|>', '<|endoftext|>')


def letters():
    """How bytes are written in these files, in order of the ids they have in CLIP: those that are
    printable as themselves, then the others as letters from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]


def read_text(path):
    """A file of UTF-8 text, unpacked if it is gzip's."""
    if os.path.isdir(path):
        raise Refused(f'{path}: is a folder, expected a file')
    view = file_view(path)
    if view.size > MAX_BYTES:
        raise Refused(f'{path}: has {view.size} bytes, the limit is {MAX_BYTES}')
    data = view.read(0, view.size)
    if data[:2] == b'\x1f\x8b':
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise Refused(f'{path}: its gzip data is cut short or broken') from None
        if len(data) > MAX_BYTES:
            raise Refused(f'{path}: unpacks to more than {MAX_BYTES} bytes')
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f'{path}: byte {error.start} is not UTF-8') from None


def read_merges(path):
    """[(left, right)], without the line that says the version."""
    lines = read_text(path).split('\n')
    first = 1 if '#version' in lines[0] else 0
    if lines[-1] == '':
        lines.pop()
    if len(lines) - first > MAX_TOKENS:
        raise Refused(f'{path}: has more than {MAX_TOKENS} merges')
    merges = []
    for number, line in enumerate(lines[first:], first + 1):
        pair = line.rstrip('\r').split(' ')
        if len(pair) != 2 or not all(pair):
            raise Refused(f'{path}: line {number} is not two tokens with a space between')
        merges.append(tuple(pair))
    if not merges:
        raise Refused(f'{path}: has no merges')
    return merges


def read_vocabulary(path):
    """[token] in order of ids, from a JSON object {token: id}."""
    def members(pairs):
        out = dict(pairs)
        if len(out) != len(pairs):
            raise Refused(f'{path}: has a token twice')
        return out

    try:
        ids = json.loads(read_text(path), object_pairs_hook=members)
    except (ValueError, RecursionError):
        raise Refused(f'{path}: is no JSON, expected an object of tokens and ids') from None
    if not isinstance(ids, dict) or not all(type(number) is int for number in ids.values()):
        raise Refused(f'{path}: is not one object of tokens and ids')
    if len(ids) > MAX_TOKENS:
        raise Refused(f'{path}: has {len(ids)} tokens, the limit is {MAX_TOKENS}')
    tokens = {number: token for token, number in ids.items()}
    for number in range(len(ids)):
        if number not in tokens:
            raise Refused(f'{path}: has {len(ids)} tokens, but none has the id {number}')
    return [tokens[number] for number in range(len(ids))]


def clip_vocabulary(path, merges):
    """What CLIP makes of its list: bytes, bytes that end a word, merges, start and end."""
    if not any(right.endswith(WORD_END) for _, right in merges):
        raise Refused(f"{path}: no token ends in {WORD_END}, so this is not CLIP's list, and "
                      '--vocabulary FILE is needed')
    return [*letters(), *(letter + WORD_END for letter in letters()),
            *(left + right for left, right in merges), *SPECIALS]


def check_tokens(path, tokens):
    for number, token in enumerate(tokens):
        if not token or not token.isprintable() or ' ' in token:
            raise Refused(f'{path}: the token of id {number} is empty or holds white space or a '
                          'control character')
        if len(token.encode()) > MAX_TOKEN_BYTES:
            raise Refused(f'{path}: the token of id {number} is longer than {MAX_TOKEN_BYTES} '
                          'bytes')
    missing = set(letters()) - set(tokens)
    if missing:
        raise Refused(f'{path}: {len(missing)} of the 256 bytes have no token')


def check_merges(path, merges, tokens):
    known, seen = set(tokens), set()
    if len(known) != len(tokens):
        raise Refused(f'{path}: two merges make the same token')
    for number, (left, right) in enumerate(merges, 1):
        for token, what in ((left, 'begins with'), (right, 'ends in'), (left + right, 'makes')):
            if token not in known:
                raise Refused(f'{path}: merge {number} {what} what is no token of the vocabulary')
        if (left, right) in seen:
            raise Refused(f'{path}: merge {number} is there twice')
        seen.add((left, right))


def check_network(path, tokens, net, rows):
    """Whether the ids are those that the network was trained with: its table has `rows` (or None)
    of them, and special tokens have their places."""
    if rows is not None and len(tokens) > rows:
        raise Refused(f'{path}: has {len(tokens)} tokens, the network has rows for {rows}')
    for token, number in net.specials.items():
        place = number % len(tokens)
        if tokens[place] != token:
            raise Refused(f"{path}: the token of id {place} is '{tokens[place]}', {net.name} was "
                          f"trained with '{token}' there, so this is the vocabulary of another "
                          'network')


def vocabulary_tensors(merges_path, vocabulary_path, net=None, rows=None):
    """The two tensors for write_blob, or none without files; `net` is the Architecture that reads
    them, if it reads texts."""
    if not merges_path:
        if vocabulary_path:
            raise Misused('--vocabulary FILE needs --merges FILE')
        return []
    merges = read_merges(merges_path)
    if vocabulary_path:
        tokens = read_vocabulary(vocabulary_path)
    else:
        merges = merges[:CLIP_MERGES]
        tokens = clip_vocabulary(merges_path, merges)
    check_tokens(vocabulary_path or merges_path, tokens)
    check_merges(merges_path, merges, tokens)
    if net:
        check_network(vocabulary_path or merges_path, tokens, net, rows)
    texts = {'vocabulary': tokens, 'merges': (' '.join(pair) for pair in merges)}
    data = {name: ''.join(f'{line}\n' for line in lines).encode() for name, lines in texts.items()}
    for name, text in data.items():
        if len(text) > MAX_BYTES:
            raise Refused(f"{merges_path}: '{name}' has {len(text)} bytes, the limit is "
                          f'{MAX_BYTES}')
    return [(name, (len(text),), 'u8', lambda text=text: [text]) for name, text in data.items()]
