"""A recogniser of the pickles torch.save writes, not a pickle machine.

Nothing is imported or called. A GLOBAL is a text, and REDUCE builds only dictionaries and tensors;
what any other name would have made is stepped over as an Object of which only that name is kept."""

import struct

from .source import Refused

MAX_PICKLE = 128 << 20      # MILAN's hold two language pipelines as texts
MAX_TEXT = 1 << 20          # longer ones are stepped over
MAX_TEXTS = 16 << 20        # of those that are kept
MAX_OPERATIONS = 1000000
MAX_STACK = 100000
MAX_MEMO = 200000

STORAGES = {'FloatStorage': 'f32', 'HalfStorage': 'f16', 'BFloat16Storage': 'bf16',
            'DoubleStorage': 'f64', 'LongStorage': 'i64', 'IntStorage': 'i32',
            'ShortStorage': 'i16', 'CharStorage': 'i8', 'ByteStorage': 'u8',
            'BoolStorage': 'bool'}
RECONSTRUCTORS = {'copyreg _reconstructor', 'copy_reg _reconstructor', 'copyreg __newobj__',
                  'copy_reg __newobj__'}
TENSOR_MAKERS = {'torch._utils _rebuild_tensor', 'torch._utils _rebuild_tensor_v2'}
PARAMETER_MAKERS = {'torch._utils _rebuild_parameter',
                    'torch._utils _rebuild_parameter_with_state'}


class Name:
    """A GLOBAL, as a word."""

    def __init__(self, text):
        self.text = text


class Object:
    """What a name would have made; nothing did. `items` and `state` are what it would have got."""

    def __init__(self, maker, arguments=()):
        self.maker, self.arguments, self.items, self.state = maker, arguments, {}, None


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count         # kind None: not known


class Stored:
    """A tensor before its storage is at hand."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


MARK = object()
ENDS = 'the file ends (it is cut short or broken)'


class Recogniser:
    """One pickle from `view`, starting at `at`."""

    def __init__(self, view, at=0):
        self.view, self.at = view, at
        limit = min(view.size - at, MAX_PICKLE)
        if limit < 0:
            raise Refused(f'{view.name}: ends where a pickle should start')
        self.data, self.place = view.read(at, limit), 0
        self.stack, self.memo, self.kept = [], {}, 0
        self.makers, self.storages = {}, {}            # what was stepped over; all storages

    def bad(self, what):
        return Refused(f'{self.view.name}: {what} at byte {self.at + self.place} of its pickle')

    def take(self, count):
        if self.place + count > len(self.data):
            raise self.bad(ENDS if len(self.data) < MAX_PICKLE else
                           'the limit of a pickle is reached')
        self.place += count
        return self.data[self.place - count:self.place]

    def number(self, size):
        return int.from_bytes(self.take(size), 'little')

    def line(self):
        end = self.data.find(b'\n', self.place, self.place + 256)
        if end < 0 and self.place + 256 > len(self.data):
            raise self.bad(ENDS)
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
        return Name(f'{module} {name}')

    def build(self, maker, arguments):
        """What REDUCE stands for. No name is looked up, nothing is called."""
        if not isinstance(maker, (Name, Object)):
            raise self.bad('a call of something that is not a name')
        if isinstance(maker, Object):                  # of a method of what was stepped over
            return Object(maker.maker)
        if type(arguments) is not tuple and maker.text in TENSOR_MAKERS:
            raise self.bad('a call with arguments of another kind')
        if maker.text == 'collections OrderedDict':
            return self.ordered(arguments)
        if maker.text in TENSOR_MAKERS:
            return self.tensor(arguments)
        if maker.text in PARAMETER_MAKERS:
            if not arguments or not isinstance(arguments[0], (Stored, Object)):
                raise self.bad('a parameter without a tensor')
            return arguments[0]
        made = maker.text
        if made in RECONSTRUCTORS and arguments and isinstance(arguments[0], Name):
            made = arguments[0].text
        self.makers[made] = self.makers.get(made, 0) + 1
        return Object(made, arguments)

    def ordered(self, arguments):
        """An OrderedDict: empty, or, as Python 2 wrote it, of a list of [key, value]."""
        if arguments in ((), ([],)):
            return {}
        if (type(arguments) is not tuple or len(arguments) != 1 or type(arguments[0]) is not list
                or not all(type(pair) in (list, tuple) and len(pair) == 2
                           for pair in arguments[0])):
            raise self.bad('an OrderedDict with contents of another kind')
        self.push({})
        self.set_items([value for pair in arguments[0] for value in pair])
        return self.pop()

    def tensor(self, arguments):
        if len(arguments) < 4:
            raise self.bad('a tensor with too few arguments')
        storage, offset, shape, strides = arguments[:4]
        if isinstance(storage, Object):                # a tensor of a kind that is stepped over
            return storage
        whole = (isinstance(storage, Storage) and type(offset) is int
                 and type(shape) is tuple and type(strides) is tuple
                 and len(shape) == len(strides) <= 8
                 and all(type(n) is int and 0 <= n < 1 << 40 for n in (offset, *shape, *strides)))
        if not whole:
            raise self.bad('a tensor with arguments of another kind')
        return Stored(storage, offset, shape, strides)

    def persistent(self, identity):
        if (type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != 'storage'
                or not isinstance(identity[1], Name) or not identity[1].text.startswith('torch')
                or not identity[1].text.endswith('Storage')
                or type(identity[2]) is not str or type(identity[4]) is not int
                or not 0 <= identity[4] < 1 << 40):
            raise self.bad('a storage of an unknown kind')
        if len(identity) == 6 and identity[5] is not None:
            raise self.bad('a storage that is a view of another')
        kind = STORAGES.get(identity[1].text.rpartition(' ')[2])
        storage = Storage(kind, identity[2], identity[4])
        known = self.storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (kind, storage.count):
            raise self.bad('a storage with two kinds or sizes')
        return storage

    def set_items(self, values):
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Object):
            target = target.items
        elif type(target) is not dict:
            raise self.bad('items for something that is not a dict')
        if len(values) % 2:
            raise self.bad('a key without a value')
        for key, value in zip(values[0::2], values[1::2]):
            if type(key) not in (str, int, float, bool, bytes, type(None)):
                continue                               # such a dictionary holds no weights
            if key in target:
                raise self.bad(f'the key {key!r:.80} for the second time')
            target[key] = value

    def text(self, size):
        return self.step_over(size) or self.take(size).decode('utf-8', 'replace')

    def octets(self, size):
        return self.step_over(size) or self.take(size)

    def step_over(self, size):
        """An Object for what is too long to be a name or a word, else None."""
        if size <= MAX_TEXT:
            self.kept += size
            if self.kept > MAX_TEXTS:
                raise self.bad(f'more than {MAX_TEXTS} bytes of texts')
            return None
        if self.place + size > len(self.data):
            self.take(size)                            # says why it cannot be
        self.place += size
        return Object('builtins bytes')

    def decimal(self, size):
        if size > 16:
            raise self.bad(f'an integer of {size} bytes')
        return int.from_bytes(self.take(size), 'little', signed=True)

    def build_state(self):
        state = self.pop()
        if not self.stack or type(self.stack[-1]) not in (dict, Object):
            raise self.bad('a state for something that has none')
        if type(self.stack[-1]) is Object:
            self.stack[-1].state = state

    def new_tuple(self, count):
        values = [self.pop() for _ in range(count)]
        return tuple(reversed(values))

    def stack_global(self):
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise self.bad('a name that is not a text')
        return self.name(module, name)

    def pairs(self):
        values = self.pop_to_mark()
        self.push({})
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
        b'C': lambda s: s.push(s.take(s.number(1))), b'B': lambda s: s.push(s.octets(s.number(4))),
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
        # protocol 3 to 5, and what objects beside the weights need
        b'\x8d': lambda s: s.push(s.text(s.number(8))),
        b'\x8e': lambda s: s.push(s.octets(s.number(8))),
        b'\x96': lambda s: s.push(s.octets(s.number(8))), b'2': lambda s: s.duplicate(),
        b'1': lambda s: s.pop_to_mark(), b'\x8f': lambda s: s.push(Object('builtins set')),
        b'\x90': lambda s: s.add_to_set(), b'\x91': lambda s: s.frozen_set(),
        b'\x92': lambda s: s.new_with_keywords(),
    }

    def append(self, values):
        if self.stack and isinstance(self.stack[-1], Object):
            return
        self.top(list, 'elements for').extend(values)

    def duplicate(self):
        self.push(self.pop())
        self.push(self.stack[-1])

    def add_to_set(self):
        self.pop_to_mark()
        self.top(Object, 'elements for')

    def frozen_set(self):
        self.pop_to_mark()
        self.push(Object('builtins frozenset'))

    def new_with_keywords(self):
        self.pop()
        self.reduce()

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
