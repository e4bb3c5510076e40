"""safetensors: a length, a JSON header, then the data without holes or overlaps."""

import json

from .source import ELEMENT_BYTES, MAX_TENSORS, Refused, Tensor, Unread, element_count

MAX_HEADER = 16 << 20
KINDS = {'F32': 'f32', 'F16': 'f16', 'BF16': 'bf16', 'F64': 'f64', 'I64': 'i64', 'I32': 'i32',
         'I16': 'i16', 'I8': 'i8', 'U8': 'u8', 'BOOL': 'bool'}


def once(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Refused('a key of the safetensors header is there twice')
    return out


def stepped_over(view, name, offsets, end):
    """Bytes of a tensor of unknown type: its offsets must fit as all others do."""
    if (len(offsets) != 2 or not all(type(offset) is int for offset in offsets)
            or offsets[0] != end or not end <= offsets[1] <= view.size):
        raise Refused(f"{view.name}: '{name}' lies at {list(offsets)}, expected it from {end} on")
    return offsets[1] - end


def read_safetensors(view):
    length = int.from_bytes(view.read(0, 8), 'little')
    if length > MAX_HEADER:
        raise Refused(f'{view.name}: its header has {length} bytes, the limit is {MAX_HEADER}')
    try:
        header = json.loads(view.read(8, length), object_pairs_hook=once)
        header.pop('__metadata__', None)
        listed = [(tuple(entry['data_offsets']), name, entry['dtype'], entry['shape'])
                  for name, entry in header.items()]
        listed.sort()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(f'{view.name}: its header is not that of a safetensors file') from None
    if len(listed) > MAX_TENSORS:
        raise Refused(f'{view.name}: lists {len(listed)} tensors, the limit is {MAX_TENSORS}')
    tensors, end = [], 0
    data = view.part(8 + length, view.size - 8 - length)
    for offsets, name, dtype, shape in listed:
        if not isinstance(shape, list) or not isinstance(dtype, str):
            raise Refused(f'{view.name}: its header is not that of a safetensors file')
        if dtype not in KINDS:                        # no one may need it
            tensors.append(Unread(name, shape, f"'{dtype}'"))
            size = stepped_over(view, name, offsets, end)
            end += size
            continue
        size = element_count(name, shape) * ELEMENT_BYTES[KINDS[dtype]]
        if len(offsets) != 2 or offsets != (end, end + size) or type(offsets[0]) is not int:
            raise Refused(f"{view.name}: '{name}' lies at {list(offsets)}, "
                          f'expected {[end, end + size]}')
        tensors.append(Tensor(name, shape, KINDS[dtype], data.part(end, size)))
        end += size
    if end != data.size:
        raise Refused(f'{view.name}: {data.size - end} bytes follow the last tensor')
    return tensors
