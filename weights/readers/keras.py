"""The layers of a Keras model as a Graph: TensorFlow.js keeps them beside the weights."""

from .graph import Graph, Node

MAX_LAYERS = 20000
POOLS = {'MaxPooling2D': 'MaxPool', 'AveragePooling2D': 'AveragePool',
         'GlobalAveragePooling2D': 'GlobalAveragePool', 'GlobalMaxPooling2D': 'GlobalMaxPool'}
OPS = {'Conv2D': 'Conv', 'Dense': 'Gemm', 'BatchNormalization': 'BatchNormalization',
       'DepthwiseConv2D': 'DepthwiseConv2D', 'SeparableConv2D': 'SeparableConv2D', **POOLS}
ACTIVATIONS = {'relu': 'Relu', 'softmax': 'Softmax', 'linear': 'Identity', None: 'Identity'}


def keras_graph(topology, names):
    """None where the model is not described, or not by layers."""
    try:
        config = topology.get('model_config', topology)['config']
        layers = config['layers'] if isinstance(config, dict) else config
        if len(layers) > MAX_LAYERS:
            return None
        return Graph(list(nodes_of(layers, names)))
    except (AttributeError, KeyError, TypeError, IndexError, ValueError):
        return None


def nodes_of(layers, names):
    pads, before = {}, None
    for layer in layers:
        kind, config = layer['class_name'], layer['config']
        name = config.get('name') or layer.get('name')
        sources = inbound(layer) or ([before] if before else [])
        before = name
        source = sources[0] if sources else ''
        if kind == 'ZeroPadding2D':
            rows, columns = config['padding']
            pads[name] = (source, [rows[0], columns[0], rows[1], columns[1]])
            continue
        source, padded = pads.get(source, (source, [0, 0, 0, 0]))
        tensors = [tensor for tensor in names
                   if tensor == f'{name}/{tensor.rpartition("/")[2]}' or
                   tensor.endswith(f'/{name}/{tensor.rpartition("/")[2]}')]
        tensors.sort(key=lambda tensor: not tensor.endswith(('kernel', 'gamma', 'kernel:0')))
        attributes = {}
        if kind in ('Conv2D', 'MaxPooling2D', 'AveragePooling2D'):
            side = config.get('kernel_size') or config.get('pool_size')
            attributes = {'strides': both(config.get('strides') or side),
                          'kernel_shape': both(side),
                          'dilations': both(config.get('dilation_rate') or 1), 'pads': padded,
                          'group': config.get('groups', 1)}
            if config.get('padding') == 'same':
                attributes['auto_pad'] = 'SAME_UPPER'
        if kind == 'Dense':
            attributes['transB'] = 1                  # the reader has turned it
        if kind == 'BatchNormalization':
            attributes['epsilon'] = float(config.get('epsilon', 1e-3))
        yield Node(OPS.get(kind, kind), '', [source] + tensors, [name], attributes)
        if kind == 'Activation' or config.get('activation') not in (None, 'linear'):
            activation = config.get('activation')
            yield Node(ACTIVATIONS.get(activation, str(activation)), '', [name], [name], {})


def both(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def inbound(layer):
    found = layer.get('inbound_nodes')
    if not found or not isinstance(found[0], list):
        return []
    return [item[0] for item in found[0] if isinstance(item, list) and isinstance(item[0], str)]
