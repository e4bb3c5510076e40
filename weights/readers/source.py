"""Ranges of files and the tensors in them. Nothing is read before it is asked for and bounded."""

import array
import os
import stat
import struct

BLOCK = 1 << 20            # bytes read at a time
MAX_TENSORS = 4096
MAX_RANK = 8
MAX_ELEMENTS = 1 << 31     # of one tensor
ELEMENT_BYTES = {'f32': 4, 'f16': 2, 'bf16': 2, 'f64': 8, 'i64': 8, 'i32': 4, 'i16': 2, 'i8': 1,
                 'u8': 1, 'bool': 1}


class Refused(Exception):
    """The input is malformed, over a limit, or not what was asked for: one sentence."""


class Misused(Exception):
    """The command line asks for what cannot be: one sentence."""


class View:
    """A byte range with bounded reads; `fetch(offset, count)` gives the bytes."""

    def __init__(self, name, fetch, offset, size):
        self.name, self.fetch, self.offset, self.size = name, fetch, offset, size

    def read(self, offset, count):
        if offset < 0 or count < 0 or offset + count > self.size:
            raise self.too_short(offset, count)
        data = self.fetch(self.offset + offset, count)
        if len(data) != count:
            raise Refused(f'{self.name}: the file became shorter while it was read')
        return data

    def part(self, offset, count, name=None):
        if offset < 0 or count < 0 or offset + count > self.size:
            raise self.too_short(offset, count, name)
        return View(name or self.name, self.fetch, self.offset + offset, count)

    def too_short(self, offset, count, name=None):
        return Refused(f'{name or self.name}: is cut short or broken: bytes {offset} to '
                       f'{offset + count} are needed, there are {self.size}')

    def blocks(self):
        for start in range(0, self.size, BLOCK):
            yield self.read(start, min(BLOCK, self.size - start))


def file_view(path):
    """The whole of a regular file. The handle lives as long as the view."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(handle, 'rb', buffering=0)
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        raise Refused(f'{path}: is not a regular file')

    def fetch(offset, count):
        parts = []
        while count > 0:
            try:
                part = os.pread(file.fileno(), count, offset)
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from None
            if not part:
                break
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b''.join(parts)

    return View(str(path), fetch, 0, info.st_size)


def memory_view(name, data):
    return View(name, lambda offset, count: data[offset:offset + count], 0, len(data))


def joined_view(name, views):
    """Several ranges read as one."""
    def fetch(offset, count):
        parts = []
        for view in views:
            if offset >= view.size:
                offset -= view.size
            elif count > 0:
                take = min(count, view.size - offset)
                parts.append(view.read(offset, take))
                offset, count = 0, count - take
        return b''.join(parts)

    return View(name, fetch, 0, sum(view.size for view in views))


def element_count(name, shape):
    """The product of a shape, refused when a dimension or the product is out of range."""
    if len(shape) > MAX_RANK:
        raise Refused(f"'{name}' has rank {len(shape)}, at most {MAX_RANK} is expected")
    count = 1
    for size in shape:
        if type(size) is not int or size < 0 or size > MAX_ELEMENTS:
            raise Refused(f"'{name}' has a dimension out of range")
        count *= size
        if count > MAX_ELEMENTS:
            raise Refused(f"'{name}' has more than {MAX_ELEMENTS} elements")
    return count


class Checkpoint:
    """What a reader found: tensors in groups, [(path of the dictionary they lie in, tensors)].

    notes    what was stepped over, for the user
    graph    how the tensors are used, where the format says so (graph.Graph)
    beside   what lies beside the tensors in a PyTorch checkpoint: a dictionary of plain values
    folder   from a model hub, where it lies in one (hub.py)"""

    def __init__(self, format_name, groups, notes=(), graph=None, beside=None):
        self.format, self.groups, self.notes, self.graph = format_name, groups, list(notes), graph
        self.beside, self.folder = beside or {}, None


class Unread:
    """An array whose elements are not read; refused only when a network needs it."""

    def __init__(self, name, shape, kind, is_number=True):
        self.name, self.shape, self.kind, self.is_number = name, tuple(shape), kind, is_number
        self.place = name

    def open(self):
        return self


class Outline:
    """Name, shape, kind and place of a tensor that `make` gives once it is needed."""

    is_number = True

    def __init__(self, name, shape, kind, place, make):
        self.name, self.shape, self.kind, self.place = name, tuple(shape), kind, place
        self.open = make


class Tensor:
    """A named array in a file.

    shape    as the engine wants it: convolutions OIHW, dense [out, in]
    kind     element type in the file, a key of ELEMENT_BYTES
    view     the elements, row-major unless `layout` says otherwise
    layout   'rows'; 'hwio' and 'io' (channels last, to be turned); or a tuple of strides"""

    is_number = True

    def __init__(self, name, shape, kind, view, layout='rows'):
        self.name, self.shape, self.kind = name, tuple(shape), kind
        self.view, self.layout = view, layout
        self.place = (view.name, view.offset, view.size)
        self.count = element_count(name, self.shape)
        if layout in ('rows', 'hwio', 'io') and view.size != self.count * ELEMENT_BYTES[kind]:
            raise Refused(f"{view.name}: '{name}' has {view.size} bytes, "
                          f'its shape needs {self.count * ELEMENT_BYTES[kind]}')

    def open(self):
        return self

    def blocks(self):
        """The elements in order as blocks of little-endian float32 bytes."""
        if self.layout == 'rows':
            for block in self.view.blocks():
                yield to_float32(block, self.kind, self.name)
        else:
            yield self.load().tobytes()

    def load(self):
        """All elements, in order, as one array of float32."""
        values = array.array('f')
        for block in self.view.blocks():
            values.frombytes(to_float32(block, self.kind, self.name))
        if self.layout == 'hwio':
            return from_hwio(values, self.shape)
        if self.layout == 'io':
            rows, columns = self.shape
            return from_hwio(values, (rows, columns, 1, 1))
        return values if self.layout == 'rows' else gather(values, self.shape, self.layout)


def to_float32(block, kind, name):
    if kind == 'f32':
        return block
    if kind == 'bf16':                                # the upper half of a float32
        wide = bytearray(2 * len(block))
        wide[2::4], wide[3::4] = block[0::2], block[1::2]
        return bytes(wide)
    if kind == 'f16':
        return array.array('f', struct.unpack(f'<{len(block) // 2}e', block)).tobytes()
    if kind == 'f64':
        values = array.array('d')
        values.frombytes(block)
        return array.array('f', values).tobytes()
    raise Refused(f"'{name}' holds {kind}, expected floating-point numbers")


def from_hwio(values, shape):
    """Kernel row, kernel column, input, output -> output, input, row, column."""
    outputs, inputs, height, width = shape
    turned = array.array('f', bytes(4 * len(values)))
    step = inputs * height * width
    for row in range(height * width):
        for channel in range(inputs):
            start = (row * inputs + channel) * outputs
            turned[channel * height * width + row::step] = values[start:start + outputs]
    return turned


def gather(values, shape, strides):
    """The row-major copy of a strided array."""
    out = array.array('f')
    if 0 in shape:
        return out
    starts = [0]
    for size, stride in zip(shape[:-1], strides[:-1]):
        starts = [start + i * stride for start in starts for i in range(size)]
    size, stride = shape[-1], strides[-1]
    for start in starts:
        out.extend(values[start:start + (size - 1) * stride + 1:stride])
    return out
