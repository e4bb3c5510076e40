"""ONNX: ModelProto.graph 7; GraphProto.node 1, initializer 5; nodes may hold constants too."""

import array
import struct

from names import taken_apart
from .graph import Graph, Node
from .protobuf import VARINT, FIXED32, Walker, joined
from .source import MAX_TENSORS, Refused, Tensor, memory_view

KINDS = {1: 'f32', 10: 'f16', 11: 'f64', 16: 'bf16'}
MAX_NODES = 20000
MAX_HALVES = 1 << 26                                   # numbers of float16 kept as integers
QUANTISED = ('DequantizeLinear', 'QuantizeLinear', 'QLinearConv', 'ConvInteger')


def read_onnx(view):
    """(tensors, graph)."""
    walker, tensors, nodes = Walker(view), {}, []
    for field, wire, value in walker.walk(view):
        if field != 7:
            continue
        for inner, inner_wire, message in walker.walk(walker.message(value, wire)):
            if inner == 5:
                add(view, tensors, onnx_tensor(walker, walker.message(message, inner_wire)))
            elif inner == 1 and len(nodes) <= MAX_NODES:
                nodes.append(onnx_node(walker, walker.message(message, inner_wire)))
    if len(nodes) > MAX_NODES:
        raise Refused(f'{view.name}: has more than {MAX_NODES} nodes')
    resolve(view, nodes, tensors)
    if not tensors:
        raise Refused(f'{view.name}: holds no initialisers')
    return list(tensors.values()), Graph(nodes)


def add(view, tensors, tensor):
    if tensor:
        tensors[tensor.name] = tensor
    if len(tensors) > MAX_TENSORS:
        raise Refused(f'{view.name}: holds more than {MAX_TENSORS} tensors')


def resolve(view, nodes, tensors):
    """Gives the tensors that nodes only pass on their further names."""
    passed_on = set()
    for node in nodes:
        if node.op in QUANTISED:
            raise Refused(f'{view.name}: is quantised (it has a node {node.op}); give the network '
                          'before it was quantised')
        if node.op == 'Constant' and node.outputs:
            value = node.attributes.get('value')
            if isinstance(value, Tensor) and value.shape:    # a single number is no weight
                value.name = node.outputs[0]
                add(view, tensors, value)
        elif node.op in ('Identity', 'Cast') and node.outputs and node.inputs \
                and node.inputs[0] in tensors:         # one tensor for equal ones; float16
            tensor = tensors[node.inputs[0]]
            passed_on.add(node.inputs[0])
            add(view, tensors, Tensor(node.outputs[0], tensor.shape, tensor.kind, tensor.view))
    for node in nodes:
        if node.op not in ('Identity', 'Cast'):
            passed_on.difference_update(node.inputs)
    for name in passed_on:
        if taken_apart(name) is None:                 # a name that says nothing
            del tensors[name]


def onnx_node(walker, message):
    name, op, inputs, outputs, attributes = '', '', [], [], {}
    for field, wire, value in walker.walk(message):
        if field in (1, 2):
            (inputs if field == 1 else outputs).append(walker.text(value, wire))
        elif field == 3:
            name = walker.text(value, wire)
        elif field == 4:
            op = walker.text(value, wire)
        elif field == 5:
            key, item = attribute(walker, walker.message(value, wire))
            attributes[key] = item
    return Node(op, name, inputs, outputs, attributes)


def attribute(walker, message):
    name, integers, item = '', [], None
    for field, wire, value in walker.walk(message):
        if field == 1:
            name = walker.text(value, wire)
        elif field == 2 and wire == FIXED32:
            item = struct.unpack('<f', value.to_bytes(4, 'little'))[0]
        elif field == 3 and wire == VARINT:
            item = value
        elif field == 4 and getattr(value, 'size', 1025) <= 1024:
            item = walker.text(value, wire)
        elif field == 5:
            item = onnx_tensor(walker, walker.message(value, wire))
        elif field == 8 and len(integers) < 64:
            integers += walker.integers(value, wire, most=64)
    return name, integers or item


def onnx_tensor(walker, message):
    """A tensor, or None for what is no weight."""
    name, shape, kind, data, packed, is_external = '', [], 0, [], [], False
    for field, wire, value in walker.walk(message):
        if field == 1:
            shape += walker.integers(value, wire)
        elif field == 2 and wire == VARINT:
            kind = value
        elif field == 8:
            name = walker.text(value, wire)
        elif field in (4, 9, 10):                     # float_data, raw_data, double_data
            data.append(walker.message(value, wire))
        elif field == 5 and kind in (10, 16):         # int32_data, float16 and bfloat16 as integers
            packed.append((value, wire))
        elif field == 13 or (field == 14 and value == 1):
            is_external = True
    if is_external:
        raise Refused(f"{walker.view.name}: '{name}' is kept in another file; save it in one "
                      "piece: onnx.save(onnx.load('model.onnx'), 'whole.onnx')")
    if kind not in KINDS:                             # integers that describe shapes, texts
        return None
    if 0 in shape and not data:                       # an argument that is left out
        return None
    if packed and not data:
        data = [halves(walker, name, packed)]
    return Tensor(name, shape, KINDS[kind], joined(walker, name, data))


def halves(walker, name, packed):
    values = array.array('H')
    for value, wire in packed:
        numbers = walker.integers(value, wire, most=MAX_HALVES)
        if numbers and max(numbers) > 0xffff:
            raise Refused(f"{walker.view.name}: '{name}' holds numbers that are no float16")
        values.extend(numbers)
    return memory_view(f'{walker.view.name}: {name}', values.tobytes())
