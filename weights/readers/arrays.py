"""NumPy arrays: a folder of .npy files, or an .npz archive of them."""

import os
import re

from .source import MAX_TENSORS, Refused, Tensor, Unread, element_count, file_view
from .archive import read_archive

MAX_HEADER = 1 << 16
KINDS = {'<f4': 'f32', '<f2': 'f16', '<f8': 'f64', '<i8': 'i64', '<i4': 'i32', '<i2': 'i16',
         '|i1': 'i8', '|u1': 'u8', '|b1': 'bool'}
NUMBER = re.compile(r'[<>=|]?[fiubc]\d+')               # texts, objects, dates, records are none
RECORD = re.compile(r"\s*\{\s*'descr'\s*:\s*\[[^\n]*\}\s*")
HEADER = re.compile(r"\s*\{\s*'descr'\s*:\s*'([^']*)'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,"
                    r"\s*'shape'\s*:\s*\(((?:\s*\d{1,10}\s*,?)*)\s*\)\s*,?\s*\}\s*")


def read_npy(name, view):
    start = view.read(0, min(view.size, 12))
    if start[:6] != b'\x93NUMPY' or len(start) < 10:
        raise Refused(f'{view.name}: is not an .npy file')
    major = start[6]
    if major not in (1, 2, 3):
        raise Refused(f'{view.name}: .npy version {major} is not known')
    prefix = 10 if major == 1 else 12
    length = int.from_bytes(start[8:prefix], 'little')
    if length > MAX_HEADER:
        raise Refused(f'{view.name}: its header has {length} bytes, the limit is {MAX_HEADER}')
    header = view.read(prefix, length).decode('latin-1')
    if RECORD.fullmatch(header):
        return Unread(name, (), 'records', is_number=False)
    match = HEADER.fullmatch(header)
    if not match:
        raise Refused(f'{view.name}: its header is not that of a plain array')
    descr, fortran, sizes = match.groups()
    shape = tuple(int(size) for size in sizes.replace(',', ' ').split())
    if descr not in KINDS:                            # objects would be pickles: never read
        return Unread(name, shape, f"'{descr}'", bool(NUMBER.fullmatch(descr)))
    count = element_count(name, shape)
    data = view.part(prefix + length, view.size - prefix - length)
    if fortran == 'True' and len(shape) > 1:
        if data.size != count * int(descr[2:]):
            raise Refused(f'{view.name}: has {data.size} bytes of data, its shape needs '
                          f'{count * int(descr[2:])}')
        strides, step = [], 1
        for size in shape:
            strides.append(step)
            step *= size
        return Tensor(name, shape, KINDS[descr], data, tuple(strides))
    return Tensor(name, shape, KINDS[descr], data)


def read_folder(path):
    names = sorted(name for name in os.listdir(path) if name.endswith('.npy'))
    if not names:
        raise Refused(f'{path}: holds no checkpoint, no .npy file and no model.json')
    if len(names) > MAX_TENSORS:
        raise Refused(f'{path}: holds {len(names)} arrays, the limit is {MAX_TENSORS}')
    return [read_npy(name[:-4], file_view(os.path.join(path, name))) for name in names]


def read_npz(view):
    """(arrays, names of entries that are none)."""
    tensors, others = [], []
    for name, entry in read_archive(view, inflate=True).items():
        if name.endswith('.npy'):
            tensors.append(read_npy(name[:-4], entry()))
        else:
            others.append(name)
    return tensors, others
