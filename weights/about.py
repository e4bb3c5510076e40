"""The tensor `about` of a blob: what its network is and how to feed it; DESIGN.md has the keys."""

import milan
from encoders import CHANNELS_OF_A_HEAD
from exported import norm_epsilon
from hub import read_config, told
from readers.source import Misused


def head_counts(match, heads, told):
    """({key: number of attention heads}, notes); `heads` is the first of them where it is asked,
    `told` what the file says."""
    counts, notes = {}, []
    if heads and not match.net.heads:
        raise Misused(f'{match.net.name} has no attention; --heads is for networks that have')
    for key, name in match.net.heads.items():
        width = match.widths.get(name)
        if width is None:                             # that tower is not there
            continue
        asked = (heads if not counts else None) or told.get(key)
        counts[key] = asked or width // CHANNELS_OF_A_HEAD
        if not counts[key] or width % counts[key]:
            fits = f'do not make {asked} equal heads' if asked else \
                f'are no multiple of {CHANNELS_OF_A_HEAD}, so how many heads there are is not clear'
            raise Misused(f'{width} channels {fits}; --heads N says how many there are')
        if not asked:
            notes.append(f'assumes that attention has {key}={counts[key]}, {CHANNELS_OF_A_HEAD} '
                         'channels each'
                         + (' (--heads N says another number)' if key == 'heads' else ''))
    return counts, notes


def particulars(match, checkpoint, heads):
    """What a network needs beside its tensors: (keys, further tensors, notes)."""
    config = read_config(checkpoint.folder) if match.net.heads else {}
    of_heads, epsilon = told(match, config)
    keys, notes = head_counts(match, heads, of_heads)
    tensors, usual = [], match.net.norm_epsilons
    if usual:
        epsilon = epsilon or norm_epsilon(checkpoint.graph, checkpoint.groups[0][1]) \
            or usual.get(match.publisher) or usual['']
        keys['norm_epsilon'] = f'{epsilon:.9g}'
    if match.net.name == 'milan':
        more, words = milan.settings(milan.inside({'': checkpoint.beside}, ''), match)
        keys.update(more)
        tensors.append(('words', (len(words),), 'u8', lambda: [words]))
    if match.net.assumed and not config:
        notes.append(f'assumes {match.net.assumed}, which tensors do not tell')
    return keys, tensors, notes


def about_text(keys):
    text = ''.join(f'{key}={value}\n' for key, value in keys.items() if value is not None)
    return ''.join(c if c == '\n' or c.isprintable() else '?' for c in text).encode()
