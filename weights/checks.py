"""What a file with a graph says beyond tensors: where each belongs, and whether the operations are
those of the architecture. What differs would run as another network and is refused."""

from architectures import EPSILON, NORM_PARTS
from matching import listed
from names import taken_apart, unwrapped
from readers.source import Refused, Tensor

FOREIGN = {'LeakyRelu', 'PRelu', 'Elu', 'Selu', 'Celu', 'Gelu', 'Mish', 'HardSwish', 'HardSigmoid',
           'Softplus', 'Softsign', 'ThresholdedRelu', 'Erf', 'LRN', 'InstanceNormalization',
           'GroupNormalization', 'LayerNormalization', 'ConvTranspose', 'Resize', 'Upsample',
           'DepthwiseConv2D', 'SeparableConv2D', 'LeakyReLU', 'PReLU', 'ELU', 'elu', 'selu', 'gelu',
           'swish', 'silu', 'hard_sigmoid', 'relu6', 'GlobalMaxPool', 'LSTM', 'GRU'}
GATES = {'Sigmoid', 'sigmoid', 'tanh', 'Tanh'}          # fine at the end, as probabilities
PREPARING = {'Sub', 'Div', 'Mul', 'Add', 'Normalization', 'Rescaling', 'Lambda'}


def weight_of(node):
    return node.inputs[1] if len(node.inputs) > 1 else None


def dense_nodes(graph, names):
    return [node for node in graph.of('Gemm', 'MatMul') if weight_of(node) in names]


def own_base(net, path):
    """The base that a module's path or a tensor's base ends in, wrappers before it left off."""
    steps = unwrapped(path).split('.')
    for start in range(len(steps)):
        base = '.'.join(steps[start:])
        base = net.aliases.get(base, base)
        if f'{base}.weight' in net.slots:
            return base
    return None


def bases(net, nodes, slots):
    """The layer of the architecture each node is: by path, by its tensor's name, by its place."""
    found = []
    for node in nodes:
        parts = taken_apart(unwrapped(weight_of(node) or ''))
        base = own_base(net, node.module()) or (own_base(net, parts[0]) if parts else None)
        found.append(base if base is not None and base not in found else None)
    if len(nodes) == len(slots):
        found = [base or (slot if slot not in found else None) for base, slot in zip(found, slots)]
    return found


def resolver(graph):
    """A function (net, named tensors) -> named tensors that puts those of nodes in their places."""
    if graph is None or not graph.of('Conv'):
        return None

    def resolve(net, named):
        if net.heads:                                  # those keep most of their names
            return named
        by_source = {tensor.name: tensor for tensor in named.values()}
        out, used = {}, set()

        def place(source, name, turned=False):
            tensor = by_source.get(source)
            if tensor is None or name not in net.slots:
                return
            used.add(source)
            if turned and isinstance(tensor, Tensor) and len(tensor.shape) == 2:
                tensor = Tensor(source, tensor.shape[::-1], tensor.kind, tensor.view, 'io')
            out[name] = tensor

        dense = dense_nodes(graph, by_source)
        dense_slots = [base for base in net.denses if f'{base}.weight' in net.slots]
        if 'classifier' in dense_slots and len(dense_slots) > 1:       # one head or the other
            dense_slots = ['classifier'] if len(dense) == 1 else dense_slots[:-1]
        adds = {source: node for node in graph.of('Add') for source in node.inputs}
        norms, behind = graph.of('BatchNormalization'), {norm for _, norm in net.pairs}
        norm_slots = net.norms if len(norms) == len(net.norms) else \
            [norm for norm in net.norms if norm not in behind]         # those are folded
        for nodes, slots in ((graph.of('Conv'), list(net.convs)), (dense, dense_slots),
                             (norms, norm_slots)):
            for node, base in zip(nodes, bases(net, nodes, slots)):
                if base is None:
                    continue
                if node.op == 'BatchNormalization':
                    for source, part in zip(node.inputs[1:], NORM_PARTS):
                        place(source, f'{base}.{part}')
                    continue
                is_turned = node.op == 'MatMul' or not node.attributes.get('transB')
                place(weight_of(node), f'{base}.weight', node.op != 'Conv' and is_turned)
                if len(node.inputs) > 2:
                    place(node.inputs[2], f'{base}.bias')
                elif node.outputs and node.outputs[0] in adds:
                    for source in adds[node.outputs[0]].inputs:
                        place(source, f'{base}.bias')
        for name, tensor in named.items():
            if tensor.name not in used and name not in out and len(tensor.shape) > 1:
                out[name] = tensor
        return out

    return resolve if any('/' in node.name or node.inputs[1:] for node in graph.nodes) else None


def check_graph(graph, match):
    """'torch' or 'same', how windows are padded; refuses what the architecture does not have."""
    if graph is None or not graph.of('Conv'):
        return None
    net = match.net
    layer = {tensor.name: name.rpartition('.')[0] for name, tensor in match.tensors.items()
             if name.endswith('.weight')}
    convs = [(layer.get(weight_of(node)), node) for node in graph.of('Conv')]
    inputs = {base: node.inputs[0] for base, node in convs if base}
    wrong = []
    for base, node in convs:
        block, _, shortcut = (base or '').partition('.downsample')
        if shortcut and inputs.get(f'{block}.conv1', node.inputs[0]) != node.inputs[0]:
            wrong.append(f"'{base}' is no shortcut of '{block}'")
    padding, windows = 'torch', window_differences(match, graph, convs, torch_padding)
    if windows and not window_differences(match, graph, convs, same_padding):
        padding, windows = 'same', []
    wrong += windows
    rectifier = 'Relu' if net.heads or 'relu6' in net.operations else 'Clip'   # of other networks
    foreign = (FOREIGN | {rectifier}) - net.operations
    wrong += [f'has the operation {op}'
              for op in sorted({node.op for node in graph.nodes} & foreign)]
    wrong += ['has GELU by tanh' for node in graph.of('Gelu')
              if node.attributes.get('approximate') == 'tanh'][:1]
    wrong += gates(graph, net.operations)
    wrong += before_first(graph, inputs.get(net.first.rpartition('.')[0]))
    if wrong:
        raise Refused(f'is not {net.name}: {listed(wrong, 6)}; such a network is not supported')
    return padding


def torch_padding(side, stride, pad):
    return pad, pad


def same_padding(side, stride, pad):
    """TensorFlow's SAME on sizes that the stride divides; the smaller half comes first."""
    total = max(side - stride, 0)
    return (pad, pad) if stride == 1 else (total // 2, total - total // 2)


def window_differences(match, graph, convs, padding_of):
    wrong = []
    for base, node in convs:
        window = [match.widths.get(size, size) for size in match.net.convs.get(base, ())]
        said = difference(node, *window, padding_of) if base else ''
        said = said or (group_difference(match, base, node) if base else '')
        if said:
            wrong.append(f"'{base}' {said}")
    return wrong + pool_differences(match, graph.of('MaxPool'), padding_of)


def difference(node, side, stride, pad, padding_of):
    """How a window is not (side, stride, pad), or ''."""
    if any(step != 1 for step in node.attributes.get('dilations') or [1]):
        return 'is dilated'
    found_stride, padding = node.window(side)
    if found_stride != stride:
        return f'has stride {found_stride}, expected {stride}'
    if padding in ('SAME_UPPER', 'SAME_LOWER'):
        half = same_padding(side, stride, side // 2)
        padding = half if padding == 'SAME_UPPER' else half[::-1]
    want = padding_of(side, stride, pad)
    if padding == want:
        return ''
    shown = f'{padding[0]} before and {padding[1]} after' if padding else 'unlike amounts'
    return f'is padded by {shown}, expected {want[0]} and {want[1]}'


def group_difference(match, base, node):
    """How many groups of channels there are where the network has others, or ''."""
    found, want = node.attributes.get('group', 1) or 1, match.net.groups.get(base, 1)
    if want == 0:                                     # every channel is one
        weight = match.tensors.get(f'{base}.weight')
        want = weight.shape[0] if weight else found
    return '' if found == want else f'has {found} groups of channels, expected {want}'


def pool_differences(match, nodes, padding_of):
    net, wrong = match.net, []
    is_whole = f'{list(net.convs)[-1]}.weight' in match.tensors
    if len(nodes) > len(net.pools) or is_whole and len(nodes) < len(net.pools):
        return [f'has {len(nodes)} max pools, expected {len(net.pools)}']
    for number, (node, (side, stride, pad)) in enumerate(zip(nodes, net.pools), 1):
        shape = node.attributes.get('kernel_shape')
        found_stride, padding = node.window(side)
        said = difference(node, side, stride, pad, padding_of)
        if net.name.startswith('squeezenet') and padding in ((0, 1), (0, 0)):
            said = ''                                 # both roundings are the same on 224
        if shape and any(size != side for size in shape):
            said = f'has a window of {shape[0]}, expected {side}'
        if said:
            wrong.append(f'max pool {number} {said}')
    return wrong


def gates(graph, allowed):
    last = {node.op for node in graph.nodes[-3:]}
    return [f'has the operation {op} inside'
            for op in sorted({node.op for node in graph.nodes[:-3]} & GATES - last - allowed)]


def before_first(graph, source):
    """Operations on the picture before the first convolution."""
    if not source:
        return []
    made = {output: node for node in graph.nodes for output in node.outputs}
    said, seen = [], set()
    while source in made and source not in seen:
        seen.add(source)
        node = made[source]
        if node.op in PREPARING:
            said.append(f'prepares pictures itself ({node.op})')
        source = next((name for name in node.inputs if name in made), None)
    return said


def epsilons(graph, match, padding):
    """{norm: what is added to its variance}, where the file says so, or is that of TensorFlow."""
    if graph is None:
        ported = match.net.ported_epsilon if padding == 'same' else None
        return {norm: ported for norm in match.net.norms} if ported else {}
    layer = {tensor.name: name.rpartition('.')[0] for name, tensor in match.tensors.items()
             if name.endswith('.weight')}
    said = {layer[weight_of(node)]: node.attributes.get('epsilon') or EPSILON
            for node in graph.of('BatchNormalization') if weight_of(node) in layer}
    return {norm: EPSILON if abs(epsilon - EPSILON) < 1e-9 else epsilon      # float32 of it
            for norm, epsilon in said.items()}
