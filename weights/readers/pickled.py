"""PyTorch checkpoints. A recogniser of the pickles torch.save writes, not a pickle machine.

Nothing is imported or called: a GLOBAL outside the list below ends the reading, and REDUCE only
builds the four plain objects of this file. Both containers are read: the ZIP archive of PyTorch 1.6
and later, and the older run of five pickles followed by the storages."""

import struct

from .archive import read_archive
from .source import ELEMENT_BYTES, MAX_TENSORS, Refused, Tensor, element_count

MAX_PICKLE = 16 << 20
MAX_OPERATIONS = 1000000
MAX_STACK = 100000
MAX_MEMO = 200000
MAGIC = 0x1950a86a20f9469cfc6c
PROTOCOL = 1001

STORAGES = {'FloatStorage': 'f32', 'HalfStorage': 'f16', 'BFloat16Storage': 'bf16',
            'DoubleStorage': 'f64', 'LongStorage': 'i64', 'IntStorage': 'i32',
            'ShortStorage': 'i16', 'CharStorage': 'i8', 'ByteStorage': 'u8',
            'BoolStorage': 'bool'}
TENSOR_MAKERS = {'torch._utils _rebuild_tensor', 'torch._utils _rebuild_tensor_v2'}
PARAMETER_MAKERS = {'torch._utils _rebuild_parameter',
                    'torch._utils _rebuild_parameter_with_state'}
INERT = {'torch device', 'torch Size', 'torch.nn.parameter Parameter', 'argparse Namespace',
         'numpy.core.multiarray scalar', 'numpy._core.multiarray scalar', 'numpy dtype',
         'numpy ndarray', 'numpy.core.multiarray _reconstruct', '_codecs encode',
         'collections defaultdict', 'collections Counter', 'builtins set', '__builtin__ set',
         'builtins dict', '__builtin__ dict', 'datetime timedelta', 'pathlib PosixPath'}
DTYPES = {'float32', 'float16', 'bfloat16', 'float64', 'int64', 'int32', 'int16', 'int8', 'uint8',
          'bool'}


class Name:
    """A GLOBAL of the list, as a word."""

    def __init__(self, text):
        self.text = text


class Inert:
    """What an allowed maker would have made; nobody looks inside."""


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


class Stored:
    """A tensor before its storage is at hand."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


MARK = object()


class Recogniser:
    """One pickle from `view`, starting at `at`."""

    def __init__(self, view, at=0):
        self.view, self.at = view, at
        limit = min(view.size - at, MAX_PICKLE)
        if limit < 0:
            raise Refused(f'{view.name}: ends where a pickle should start')
        self.data, self.place = view.read(at, limit), 0
        self.stack, self.memo = [], {}

    def bad(self, what):
        return Refused(f'{self.view.name}: {what} at byte {self.at + self.place} of its pickle')

    def take(self, count):
        if self.place + count > len(self.data):
            raise self.bad('the file ends or the limit is reached')
        self.place += count
        return self.data[self.place - count:self.place]

    def number(self, size):
        return int.from_bytes(self.take(size), 'little')

    def line(self):
        end = self.data.find(b'\n', self.place, self.place + 256)
        if end < 0:
            raise self.bad('a name does not end')
        text = self.data[self.place:end].decode('ascii', 'replace')
        self.place = end + 1
        return text

    def push(self, value):
        if len(self.stack) >= MAX_STACK:
            raise self.bad(f'more than {MAX_STACK} values are stacked')
        self.stack.append(value)

    def pop(self):
        if not self.stack or self.stack[-1] is MARK:
            raise self.bad('a value is missing')
        return self.stack.pop()

    def pop_to_mark(self):
        place = len(self.stack) - 1
        while place >= 0 and self.stack[place] is not MARK:
            place -= 1
        if place < 0:
            raise self.bad('a mark is missing')
        values = self.stack[place + 1:]
        del self.stack[place:]
        return values

    def remember(self, key):
        if not self.stack or self.stack[-1] is MARK:
            raise self.bad('a value is missing')
        if key > MAX_MEMO:
            raise self.bad(f'memo number {key} is over the limit of {MAX_MEMO}')
        self.memo[key] = self.stack[-1]

    def recall(self, key):
        if key not in self.memo:
            raise self.bad(f'memo number {key} was never set')
        self.push(self.memo[key])

    def top(self, kind, what):
        if not self.stack or type(self.stack[-1]) is not kind:
            raise self.bad(f'{what} something that is not a {kind.__name__}')
        return self.stack[-1]

    # -- the objects

    def name(self, module, name):
        text = f'{module} {name}'
        known = (text in TENSOR_MAKERS or text in PARAMETER_MAKERS or text in INERT
                 or text == 'collections OrderedDict'
                 or module == 'torch' and (name in STORAGES or name in DTYPES))
        if not known:
            raise self.bad(f"'{module}.{name}' is not among the names a checkpoint needs; "
                           'only a saved state_dict is read (refused)')
        return Name(text)

    def build(self, maker, arguments):
        """What REDUCE stands for. No name is looked up, nothing is called."""
        if not isinstance(maker, Name) or type(arguments) is not tuple:
            raise self.bad('a call of something that is not a name of the list')
        if maker.text == 'collections OrderedDict':
            if arguments not in ((), ([],)):
                raise self.bad('an OrderedDict with contents of another kind')
            return {}
        if maker.text in TENSOR_MAKERS:
            return self.tensor(arguments)
        if maker.text in PARAMETER_MAKERS:
            if not arguments or not isinstance(arguments[0], Stored):
                raise self.bad('a parameter without a tensor')
            return arguments[0]
        return Inert()

    def tensor(self, arguments):
        if len(arguments) < 4:
            raise self.bad('a tensor with too few arguments')
        storage, offset, shape, strides = arguments[:4]
        whole = (isinstance(storage, Storage) and type(offset) is int
                 and type(shape) is tuple and type(strides) is tuple
                 and len(shape) == len(strides) <= 8
                 and all(type(n) is int and 0 <= n < 1 << 40 for n in (offset, *shape, *strides)))
        if not whole:
            raise self.bad('a tensor with arguments of another kind')
        return Stored(storage, offset, shape, strides)

    def persistent(self, identity):
        if (type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != 'storage'
                or not isinstance(identity[1], Name)
                or identity[1].text.partition(' ')[2] not in STORAGES
                or type(identity[2]) is not str or type(identity[4]) is not int
                or not 0 <= identity[4] < 1 << 40):
            raise self.bad('a storage of an unknown kind')
        if len(identity) == 6 and identity[5] is not None:
            raise self.bad('a storage that is a view of another')
        return Storage(STORAGES[identity[1].text.partition(' ')[2]], identity[2], identity[4])

    def set_items(self, values):
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Inert):
            return
        target = self.top(dict, 'items for')
        if len(values) % 2:
            raise self.bad('a key without a value')
        for key, value in zip(values[0::2], values[1::2]):
            if type(key) not in (str, int, float, bool, bytes, type(None)):
                raise self.bad('a key that is not a text or a number')
            if key in target:
                raise self.bad(f'the key {key!r:.80} for the second time')
            target[key] = value

    def text(self, size):
        return self.take(size).decode('utf-8', 'replace')

    def decimal(self, size):
        if size > 16:
            raise self.bad(f'an integer of {size} bytes')
        return int.from_bytes(self.take(size), 'little', signed=True)

    def build_state(self):
        self.pop()
        if not self.stack or type(self.stack[-1]) not in (dict, Inert):
            raise self.bad('a state for something that has none')

    def new_tuple(self, count):
        values = [self.pop() for _ in range(count)]
        return tuple(reversed(values))

    def stack_global(self):
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise self.bad('a name that is not a text')
        return self.name(module, name)

    def pairs(self):
        values, fresh = self.pop_to_mark(), {}
        self.push(fresh)
        self.set_items(values)

    OPERATIONS = {
        b'\x80': lambda s: s.take(1), b'\x95': lambda s: s.take(8), b'(': lambda s: s.push(MARK),
        b'0': lambda s: s.pop(), b'N': lambda s: s.push(None), b'\x88': lambda s: s.push(True),
        b'\x89': lambda s: s.push(False),
        b'J': lambda s: s.push(int.from_bytes(s.take(4), 'little', signed=True)),
        b'K': lambda s: s.push(s.number(1)), b'M': lambda s: s.push(s.number(2)),
        b'\x8a': lambda s: s.push(s.decimal(s.number(1))),
        b'\x8b': lambda s: s.push(s.decimal(s.number(4))),
        b'G': lambda s: s.push(struct.unpack('>d', s.take(8))[0]),
        b'X': lambda s: s.push(s.text(s.number(4))), b'\x8c': lambda s: s.push(s.text(s.number(1))),
        b'U': lambda s: s.push(s.text(s.number(1))), b'T': lambda s: s.push(s.text(s.number(4))),
        b'C': lambda s: s.push(s.take(s.number(1))), b'B': lambda s: s.push(s.take(s.number(4))),
        b'}': lambda s: s.push({}), b']': lambda s: s.push([]), b')': lambda s: s.push(()),
        b'd': lambda s: s.pairs(), b'l': lambda s: s.push(s.pop_to_mark()),
        b't': lambda s: s.push(tuple(s.pop_to_mark())),
        b'\x85': lambda s: s.push(s.new_tuple(1)), b'\x86': lambda s: s.push(s.new_tuple(2)),
        b'\x87': lambda s: s.push(s.new_tuple(3)),
        b'a': lambda s: s.append([s.pop()]), b'e': lambda s: s.append(s.pop_to_mark()),
        b's': lambda s: s.set_items(list(s.new_tuple(2))),
        b'u': lambda s: s.set_items(s.pop_to_mark()),
        b'q': lambda s: s.remember(s.number(1)), b'r': lambda s: s.remember(s.number(4)),
        b'\x94': lambda s: s.remember(len(s.memo)),
        b'h': lambda s: s.recall(s.number(1)), b'j': lambda s: s.recall(s.number(4)),
        b'c': lambda s: s.push(s.name(s.line(), s.line())),
        b'\x93': lambda s: s.push(s.stack_global()),
        b'R': lambda s: s.reduce(), b'\x81': lambda s: s.reduce(),
        b'b': lambda s: s.build_state(), b'Q': lambda s: s.push(s.persistent(s.pop())),
    }

    def append(self, values):
        self.top(list, 'elements for').extend(values)

    def reduce(self):
        arguments = self.pop()
        self.push(self.build(self.pop(), arguments))

    def run(self):
        """The pickled value; self.end is where the next byte is."""
        for _ in range(MAX_OPERATIONS):
            code = self.take(1)
            if code == b'.':
                value = self.pop()
                self.end = self.at + self.place
                return value
            if code not in self.OPERATIONS:
                raise self.bad(f'opcode 0x{code[0]:02x}, which no checkpoint needs,')
            self.OPERATIONS[code](self)
        raise self.bad(f'more than {MAX_OPERATIONS} operations')


# ---- containers ----------------------------------------------------------------------------------

def read_pth(view):
    start = view.read(0, min(4, view.size))
    if start == b'PK\3\4':
        value, storages = open_zip(view)
    else:
        value, storages = open_legacy(view)
    state = state_dict(value)
    if not state:
        raise Refused(f'{view.name}: holds no dictionary of tensors')
    tensors = [make_tensor(view, name, stored, storages) for name, stored in state.items()]
    if sum(tensor.count * ELEMENT_BYTES[tensor.kind] for tensor in tensors) > 2 * view.size:
        raise Refused(f'{view.name}: its tensors share storages and would be twice its size')
    return tensors


def open_zip(view):
    entries = read_archive(view)
    names = [name for name in entries if name.endswith('/data.pkl') or name == 'data.pkl']
    if len(names) != 1:
        raise Refused(f'{view.name}: has {len(names)} entries data.pkl, expected 1')
    root = names[0][:-len('data.pkl')]
    order = entries.get(root + 'byteorder')
    if order:
        data = order()
        if data.read(0, min(data.size, 6)) != b'little':
            raise Refused(f'{view.name}: its numbers are not little-endian')
    pickle = entries[names[0]]()
    if pickle.size > MAX_PICKLE:
        raise Refused(f'{pickle.name}: has {pickle.size} bytes, the limit is {MAX_PICKLE}')

    def storage_view(storage):
        name = f'{root}data/{storage.key}'
        if name not in entries:
            raise Refused(f"{view.name}: has no entry '{name}'")
        return entries[name]()

    return Recogniser(pickle).run(), storage_view


def open_legacy(view):
    values, at = [], 0
    for part in range(5):
        recogniser = Recogniser(view, at)
        values.append(recogniser.run())
        at = recogniser.end
        if (part, values[-1]) in ((0, None),) or part == 0 and values[0] != MAGIC:
            raise Refused(f'{view.name}: is not a PyTorch checkpoint (its magic number differs)')
        if part == 1 and values[1] != PROTOCOL:
            raise Refused(f'{view.name}: has PyTorch protocol {values[1]!r:.20}, expected 1001')
    info, value, keys = values[2:]
    if type(info) is not dict or info.get('little_endian') is not True:
        raise Refused(f'{view.name}: its numbers are not little-endian')
    if type(keys) is not list or not all(type(key) is str for key in keys) or \
            len(set(keys)) != len(keys):
        raise Refused(f'{view.name}: its list of storages is not a list of different texts')
    used = {stored.storage.key: stored.storage for stored in all_stored(value)}
    places = {}
    for key in keys:
        count = int.from_bytes(view.read(at, 8), 'little')
        if key not in used:
            raise Refused(f"{view.name}: storage '{key}' belongs to no tensor")
        if count != used[key].count:
            raise Refused(f"{view.name}: storage '{key}' has {count} elements, "
                          f'its tensor says {used[key].count}')
        size = count * ELEMENT_BYTES[used[key].kind]
        places[key] = view.part(at + 8, size)
        at += 8 + size
    if at != view.size:
        raise Refused(f'{view.name}: {view.size - at} bytes follow the last storage')

    def storage_view(storage):
        if storage.key not in places:
            raise Refused(f"{view.name}: storage '{storage.key}' is not in the file")
        return places[storage.key]

    return value, storage_view


def all_stored(value):
    """Every tensor in the value, each container visited once."""
    found, seen, todo = [], set(), [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Stored):
            found.append(item)
        elif type(item) in (dict, list, tuple) and id(item) not in seen:
            seen.add(id(item))
            todo.extend(item.values() if type(item) is dict else item)
    return found


NESTS = ('state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network', 'weights')


def state_dict(value):
    """The dictionary of tensors, wherever training scripts put it."""
    for _ in range(4):
        if type(value) is not dict:
            return None
        tensors = {name: item for name, item in value.items()
                   if isinstance(item, Stored) and type(name) is str}
        inner = [value[name] for name in NESTS if type(value.get(name)) is dict]
        if len(tensors) > 1 or not inner:
            return tensors
        value = inner[0]
    return None


def make_tensor(view, name, stored, storages):
    storage, shape = stored.storage, stored.shape
    size = ELEMENT_BYTES[storage.kind]
    count = element_count(name, shape)
    data = storages(storage)
    if data.size != storage.count * size:
        raise Refused(f"{view.name}: the storage of '{name}' has {data.size} bytes, "
                      f'expected {storage.count * size}')
    if count == 0:
        return Tensor(name, shape, storage.kind, data.part(0, 0))
    last = sum((dim - 1) * stride for dim, stride in zip(shape, stored.strides))
    if stored.offset + last >= storage.count or count > storage.count:
        raise Refused(f"{view.name}: '{name}' needs {max(stored.offset + last + 1, count)} "
                      f'elements, its storage has {storage.count}')
    data = data.part(stored.offset * size, (last + 1) * size)
    rows, step = True, 1
    for dim, stride in zip(reversed(shape), reversed(stored.strides)):
        rows = rows and (dim == 1 or stride == step)
        step *= dim
    return Tensor(name, shape, storage.kind, data, 'rows' if rows else stored.strides)
