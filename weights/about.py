"""The tensor `about` of a blob: what its network is and how to feed it; DESIGN.md has the keys."""

from encoders import CHANNELS_OF_A_HEAD
from readers.source import Misused


def head_counts(match, heads):
    """({key: number of attention heads}, note); `heads` is the first of them where it is asked."""
    counts, notes = {}, []
    if heads and not match.net.heads:
        raise Misused(f'{match.net.name} has no attention; --heads is for networks that have')
    for key, name in match.net.heads.items():
        width = match.widths.get(name)
        if width is None:                             # that tower is not there
            continue
        asked = heads if not counts else None
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


def about_text(keys):
    text = ''.join(f'{key}={value}\n' for key, value in keys.items() if value is not None)
    return ''.join(c if c == '\n' or c.isprintable() else '?' for c in text).encode()
