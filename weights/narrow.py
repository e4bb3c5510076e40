"""The numbers of a weight blob in half the room: float32 becomes float16, all else stays."""

import os

from blob import ENTRY, HEADER, MAGIC, TYPES, VERSION
from contents import to_half
from readers.source import MAX_TENSORS, Refused, file_view


def is_blob(path):
    if not os.path.isfile(path):
        return False
    view = file_view(path)
    return view.size >= len(MAGIC) and view.read(0, len(MAGIC)) == MAGIC


def narrow(path):
    """The tensors of the blob at `path` as write_blob takes them."""
    view = file_view(path)
    _, version, _, _, index_offset, _, count, _, _ = HEADER.unpack(view.read(0, HEADER.size))
    if version != VERSION or count > MAX_TENSORS:
        raise Refused(f'{path}: is broken, or a weight blob of another version')
    kinds = {number: (kind, element_bytes) for kind, (number, element_bytes) in TYPES.items()}
    tensors = []
    for i in range(count):
        name, number, rank, *dims, offset, size, _ = \
            ENTRY.unpack(view.read(index_offset + i * ENTRY.size, ENTRY.size))
        name = name.rstrip(b'\0').decode('ascii', 'replace')
        if number not in kinds or rank > 4:
            raise Refused(f"{path}: '{name}' is broken")
        kind, element_bytes = kinds[number]
        part, shape = view.part(offset, size), tuple(dims[:rank])
        if kind == 'f32':
            tensors.append((name, shape, 'f16', lambda name=name, part=part:
                            (to_half(name, block) for block in part.blocks())))
        else:
            tensors.append((name, shape, kind, part.blocks))
    return tensors
