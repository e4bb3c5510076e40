"""The numbers of a weight blob in half the room: float32 becomes float16, all else stays."""

import math
import os
import zlib

from blob import ENTRY, HEADER, MAGIC, ORDER, TYPES, VERSION
from contents import to_half
from readers.source import MAX_TENSORS, Refused, file_view


def is_blob(path):
    if not os.path.isfile(path):
        return False
    view = file_view(path)
    return view.size >= len(MAGIC) and view.read(0, len(MAGIC)) == MAGIC


def narrow(path):
    """The tensors of the blob at `path` as write_blob takes them; each is checked before."""
    view = file_view(path)
    header = view.read(0, HEADER.size)
    _, version, order, size, index_offset, _, count, index_crc, crc = HEADER.unpack(header)
    if (version, order, size) != (VERSION, ORDER, view.size) or zlib.crc32(header[:-4]) != crc:
        raise Refused(f'{path}: is cut short or broken, or a weight blob of another version')
    index = view.read(index_offset, min(count, MAX_TENSORS) * ENTRY.size)
    if zlib.crc32(index) != index_crc:
        raise Refused(f'{path}: its list of tensors is broken')
    return [narrow_tensor(view, entry) for entry in ENTRY.iter_unpack(index)]


def narrow_tensor(view, entry):
    name, number, rank, *dims, offset, size, crc = entry
    name, shape = name.rstrip(b'\0').decode('ascii', 'replace'), tuple(dims[:rank])
    kind = next((kind for kind, (known, _) in TYPES.items() if known == number), None)
    part, found = view.part(offset, size), 0
    for block in part.blocks():
        found = zlib.crc32(block, found)
    if kind is None or found != crc or size != math.prod(shape) * TYPES[kind][1]:
        raise Refused(f"{view.name}: '{name}' is broken")
    if name == 'about':
        about = part.read(0, size).replace(b'dtype=f32\n', b'dtype=f16\n')
        return name, shape, kind, lambda: [about]
    if kind == 'f32':
        return name, shape, 'f16', lambda: (to_half(name, block) for block in part.blocks())
    return name, shape, kind, part.blocks
