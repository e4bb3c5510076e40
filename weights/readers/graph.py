"""Which operation uses which tensor, for formats that hold more than tensors (ONNX, Keras)."""


class Node:
    """One operation.

    op          'Conv', 'BatchNormalization', 'Gemm', 'MatMul', 'MaxPool', 'Relu', ...: ONNX's names
    name        the exporter's, often the module's path
    inputs      names of what it reads: activations and tensors
    attributes  {name: integer, number, text or list of integers}"""

    def __init__(self, op, name, inputs, outputs, attributes):
        self.op, self.name, self.inputs, self.outputs = op, name, inputs, outputs
        self.attributes = attributes

    def window(self, side):
        """(stride, padding) with padding a text or (before, after); equal for both axes, else
        None in its place."""
        strides = self.attributes.get('strides') or [1, 1]
        stride = strides[0] if len(set(strides)) == 1 else None
        auto = self.attributes.get('auto_pad') or 'NOTSET'
        if auto in ('SAME_UPPER', 'SAME_LOWER'):
            return stride, auto
        pads = self.attributes.get('pads') or [0, 0, 0, 0]
        if auto == 'VALID':
            pads = [0, 0, 0, 0]
        half = len(pads) // 2
        before, after = set(pads[:half]), set(pads[half:])
        return stride, (before.pop(), after.pop()) if len(before) == len(after) == 1 else None

    def module(self):
        """The path of the module in exporters that write it: /layer1/layer1.0/conv1/Conv."""
        path = []
        for part in self.name.split('/')[:-1]:
            if path and part.startswith(path[-1] + '.'):
                path[-1] = part                       # a sequence names its members in full
            elif part:
                path.append(part)
        return '.'.join(path)


class Graph:
    """Nodes in the order of computation, and which names are tensors."""

    def __init__(self, nodes):
        self.nodes = nodes

    def of(self, *ops):
        return [node for node in self.nodes if node.op in ops]
