"""What exporters to ONNX leave of a transformer's names: matrices turned and folded into nameless
constants (`onnx::MatMul_453`, `val_12`), layer norms in parts."""

import math
import re

from names import taken_apart
from readers.source import Tensor
from spellings import Turned

DEFAULT = 1e-5             # ONNX's
NAMELESS = re.compile(r'(.*/)?(onnx::\w+|_?val_\d+|\w*Constant\w*|\d+)')


def unfolder(graph):
    """A function (names) -> names in which a nameless matrix has the name of the bias that is added
    to its product; numbers without a name are left out."""
    if graph is None or not graph.of('MatMul', 'Gemm'):
        return None
    made = {output: node for node in graph.nodes for output in node.outputs}

    def unfold(names):
        by_source = {tensor.name: name for name, tensor in names.items()}
        out = {name: tensor for name, tensor in names.items()
               if not NAMELESS.fullmatch(tensor.name) or math.prod(tensor.shape) != 1}

        def matrix(source, bias, is_turned):
            base = taken_apart(bias)
            name, place = by_source.get(source), bias[:-len('bias')] + 'weight'
            if not base or base[1] != 'bias' or place in names or name not in out or \
                    not NAMELESS.fullmatch(source):
                return
            tensor = out[name]
            if isinstance(tensor, Tensor) and len(tensor.shape) == 2 and \
                    tensor.shape[1 if is_turned else 0] == names[bias].shape[-1]:
                del out[name]
                out[place] = Turned(tensor) if is_turned else tensor

        for node in graph.of('Add', 'Gemm'):
            biases = [by_source[source] for source in node.inputs if source in by_source
                      and len(names[by_source[source]].shape) == 1]
            if len(biases) != 1 or not biases[0].endswith('bias'):
                continue
            if node.op == 'Gemm' and len(node.inputs) == 3:
                matrix(node.inputs[1], biases[0], not node.attributes.get('transB'))
            for source in node.inputs:
                product = made.get(source)
                if node.op == 'Add' and product and product.op == 'MatMul' and \
                        len(product.inputs) == 2:
                    matrix(product.inputs[1], biases[0], True)
        return out

    return unfold


def norm_epsilon(graph, tensors):
    """What layer norms add to the variance, where the graph says one number; else None."""
    if graph is None:
        return None
    numbers = {tensor.name: tensor for tensor in tensors if math.prod(tensor.shape) == 1}
    made = {output: node for node in graph.nodes for output in node.outputs}
    found = {node.attributes.get('epsilon') or DEFAULT for node in graph.of('LayerNormalization')}
    for node in graph.of('Sqrt'):
        added = made.get(node.inputs[0]) if node.inputs else None
        if added and added.op == 'Add' and len(added.inputs) == 2 and \
                any(made[source].op == 'ReduceMean' for source in added.inputs if source in made):
            found.update(number_of(numbers.get(source), made.get(source))
                         for source in added.inputs)
    found = {float(f'{value:.6g}') for value in found if value is not None}   # from float32
    return found.pop() if len(found) == 1 else None


def number_of(tensor, node):
    if tensor is None and node and node.op == 'Constant':
        tensor = node.attributes.get('value')
    if not isinstance(tensor, Tensor) or math.prod(tensor.shape) != 1:
        return None
    return tensor.load()[0]
