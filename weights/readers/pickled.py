"""PyTorch checkpoints: the ZIP archive of PyTorch 1.6 and later, and the older run of five pickles
followed by the storages. What the pickles say is taken from recogniser.py; nothing is run.

A TorchScript archive is such a ZIP whose modules are objects of classes below `__torch__.`: they
are taken for the dictionaries of their attributes. Its program (code/, constants) is not read."""

from collections import deque

from .archive import read_archive
from .recogniser import MAX_PICKLE, MAX_STACK, Object, Recogniser, Stored
from .source import ELEMENT_BYTES, Outline, Refused, Tensor, Unread, element_count

MAGIC = 0x1950a86a20f9469cfc6c
PROTOCOL = 1001
MAX_DICTIONARIES, MAX_DEPTH = 1000, 6                  # of a checkpoint
SCRIPT = '__torch__.'                                  # what classes of TorchScript begin with
MAX_MODULES, MAX_MODULE_DEPTH = 10000, 32
# Objects nobody needs to hear of
QUIET = {'torch device', 'torch Size', 'torch.nn.parameter Parameter', 'argparse Namespace',
         'numpy.core.multiarray scalar', 'numpy._core.multiarray scalar', 'numpy dtype',
         'numpy ndarray', 'numpy.core.multiarray _reconstruct', '_codecs encode',
         'collections defaultdict', 'collections Counter', 'builtins set', '__builtin__ set',
         'builtins dict', '__builtin__ dict', 'datetime timedelta', 'datetime datetime',
         'pathlib PosixPath', 'builtins list', '__builtin__ list', 'builtins tuple',
         'copyreg _reconstructor', 'copy_reg _reconstructor', 'builtins object',
         'thinc.config Config', 'confection Config'}
UNREAD_MAKERS = {'torch._utils _rebuild_tensor_v3', 'torch._utils _rebuild_qtensor',
                 'torch._utils _rebuild_sparse_tensor', 'torch._utils _rebuild_wrapper_subclass',
                 'torch._tensor _rebuild_from_type_v2'}


def read_pth(view):
    """(groups, notes, the outermost dictionary) of a checkpoint: the tensors of every dictionary,
    nothing opened yet."""
    start = view.read(0, min(4, view.size))
    if start == b'PK\3\4':
        recogniser, value, storages = open_zip(view)
    else:
        recogniser, value, storages = open_legacy(view)
    found = dictionaries(value)
    program = scripted(value)
    if program:
        found = [('', attributes(view, value))]
        if not found[0][1]:
            raise Refused(f'{view.name}: is a TorchScript program whose modules hold no tensors '
                          '(frozen ones are constants of the program); in Python, torch.save('
                          "model.state_dict(), 'weights.pth') of the model before makes a file "
                          'that converts')
    groups = []
    for path, state in found:
        outlines = [outline(view, name, item, storages) for name, item in state.items()]
        total = sum(min(element_count(name, item.shape), item.storage.count)
                    * ELEMENT_BYTES[item.storage.kind] for name, item in state.items()
                    if isinstance(item, Stored) and item.storage.kind)
        if total > 3 * view.size:
            raise Refused(f'{view.name}: its tensors share storages and would be thrice its size')
        groups.append((path, outlines))
    if not groups:
        raise Refused(f'{view.name}: ' + what_is_there(value))
    stepped = [maker.replace(' ', '.') for maker in recogniser.makers
               if maker not in QUIET and not maker.startswith(SCRIPT)]
    notes = ['stepped over objects, of which nothing was run: ' + some(stepped)] if stepped else []
    if program:
        notes.append('is a TorchScript program, of which the weights were taken and nothing run')
    return groups, notes, value if type(value) is dict else {}


def some(names, most=8):
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def what_is_there(value):
    """Why a checkpoint without a dictionary of tensors is none, and what to do."""
    whole = whole_model(value)
    if whole:
        return (f"holds a whole pickled model ('{whole}'), which only its own program can open; "
                "there, torch.save(model.state_dict(), 'weights.pth') makes a file that converts")
    made = f"; it is what '{value.maker.replace(' ', '.')}' makes, which is not run" \
        if isinstance(value, Object) else ''
    return f'holds no dictionary of tensors{made}'


def whole_model(value):
    """Class of the first pickled torch.nn.Module in a value."""
    seen, todo = set(), deque([value])
    while todo and len(seen) < MAX_STACK:
        item = todo.popleft()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Object):
            if type(item.state) is dict and '_modules' in item.state:
                return item.maker.replace(' ', '.')
            todo += [item.state, item.items]
        elif type(item) in (dict, list, tuple):
            todo += item.values() if type(item) is dict else item
    return None


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

    recogniser = Recogniser(pickle)
    return recogniser, recogniser.run(), storage_view


def open_legacy(view):
    values, at = [], 0
    for part in range(5):
        recogniser = Recogniser(view, at)
        values.append(recogniser.run())
        at = recogniser.end
        if part == 0 and values[0] != MAGIC:
            raise Refused(f'{view.name}: is not a PyTorch checkpoint (its magic number differs): '
                          + what_is_there(values[0]))
        if part == 1 and values[1] != PROTOCOL:
            raise Refused(f'{view.name}: has another PyTorch protocol, expected {PROTOCOL}')
        if part == 3:
            contents = recogniser
    info, value, keys = values[2:]
    if type(info) is not dict or info.get('little_endian') is not True:
        raise Refused(f'{view.name}: its numbers are not little-endian')
    if type(keys) is not list or not all(type(key) is str for key in keys) or \
            len(set(keys)) != len(keys):
        raise Refused(f'{view.name}: its list of storages is not a list of different texts')
    places = {}
    for key in keys:
        count = int.from_bytes(view.read(at, 8), 'little')
        if key not in contents.storages:
            raise Refused(f"{view.name}: storage '{key}' belongs to no tensor")
        known = contents.storages[key]
        if count != known.count or known.kind is None:
            raise Refused(f"{view.name}: storage '{key}' has {count} elements, its tensor says "
                          f"{known.count}{'' if known.kind else ' of an unknown kind'}")
        size = count * ELEMENT_BYTES[known.kind]
        places[key] = view.part(at + 8, size)
        at += 8 + size
    if at != view.size:
        raise Refused(f'{view.name}: {view.size - at} bytes follow the last storage')

    def storage_view(storage):
        if storage.key not in places:
            raise Refused(f"{view.name}: storage '{storage.key}' is not in the file")
        return places[storage.key]

    return contents, value, storage_view


def dictionaries(value):
    """[(path, {name: tensor})] of every dictionary with more than one tensor, outermost first."""
    found, seen, todo = [], set(), deque([('', value, 0)])
    while todo and len(seen) < MAX_DICTIONARIES:
        path, item, depth = todo.popleft()
        state = item.items if isinstance(item, Object) else item
        if type(state) is not dict or id(state) in seen or depth > MAX_DEPTH:
            continue
        seen.add(id(state))
        named = {name: inner for name, inner in state.items() if type(name) is str}
        tensors = {name: inner for name, inner in named.items() if is_tensor(inner)}
        if len(tensors) > 1:
            found.append((path, tensors))
        todo += [(f'{path}.{name}' if path else name, inner, depth + 1)
                 for name, inner in named.items() if type(inner) in (dict, Object)]
    return found


def scripted(value):
    return isinstance(value, Object) and value.maker.startswith(SCRIPT)


def attributes(view, module):
    """{dotted name: tensor} of a module of TorchScript and of those below it."""
    tensors, count, todo = {}, 0, deque([('', module, 0)])
    while todo:
        path, item, depth = todo.popleft()
        state, count = item.state if type(item.state) is dict else {}, count + 1
        if count > MAX_MODULES or depth > MAX_MODULE_DEPTH:
            raise Refused(f'{view.name}: its modules lie more than {MAX_MODULE_DEPTH} deep or are '
                          f'more than {MAX_MODULES}')
        for name, inner in state.items():
            place = f'{path}.{name}' if path else name
            if type(name) is str and is_tensor(inner):
                if place in tensors:
                    raise Refused(f"{view.name}: has two tensors that are called '{place}'")
                tensors[place] = inner
            elif type(name) is str and scripted(inner):
                todo.append((place, inner, depth + 1))
    return tensors


def is_tensor(item):
    return isinstance(item, Stored) or isinstance(item, Object) and item.maker in UNREAD_MAKERS


def outline(view, name, stored, storages):
    if isinstance(stored, Object):
        kind = stored.maker.rpartition('_rebuild_')[2]
        return Unread(name, (), 'quantised numbers' if kind == 'qtensor' else kind)
    if stored.storage.kind is None:
        return Unread(name, stored.shape, 'numbers of an unknown kind')
    span_of(view, name, stored)
    return Outline(name, stored.shape, stored.storage.kind, (stored.storage.key, stored.offset),
                   lambda: make_tensor(view, name, stored, storages))


def span_of(view, name, stored):
    """Elements of the storage between the first and the last of a tensor, which must be there."""
    count, there = element_count(name, stored.shape), stored.storage.count
    if count == 0:
        return 0
    last = sum((dim - 1) * stride for dim, stride in zip(stored.shape, stored.strides))
    if stored.offset + last >= there or count > there:
        raise Refused(f"{view.name}: '{name}' needs {max(stored.offset + last + 1, count)} "
                      f'elements, its storage has {there}')
    return last + 1


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
    data = data.part(stored.offset * size, span_of(view, name, stored) * size)
    rows, step = True, 1
    for dim, stride in zip(reversed(shape), reversed(stored.strides)):
        rows = rows and (dim == 1 or stride == step)
        step *= dim
    return Tensor(name, shape, storage.kind, data, 'rows' if rows else stored.strides)
