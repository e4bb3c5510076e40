"""TensorFlow.js weight groups: model.json lists them; each is headerless little-endian data.

Kernels are HWIO (dense: [in, out]). A group whose files are not all there is left out, so the first
layers of a network can be had without the rest."""

import json
import os

from .keras import keras_graph
from .source import Refused, Tensor, element_count, file_view, joined_view, MAX_TENSORS

MAX_MANIFEST = 16 << 20


def read_tensorflowjs(path):
    """(tensors, graph or None)."""
    folder = os.path.dirname(path)
    view = file_view(path)
    if view.size > MAX_MANIFEST:
        raise Refused(f'{path}: has {view.size} bytes, the limit is {MAX_MANIFEST}')
    try:
        model = json.loads(view.read(0, view.size))
        manifest = model['weightsManifest']
        groups = [([str(p) for p in group['paths']],
                   [(w['name'], w['shape'], w['dtype'], 'quantization' in w)
                    for w in group['weights']]) for group in manifest]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused(f'{path}: is not a manifest of weight groups') from None
    tensors = []
    for paths, weights in groups:
        for name in paths:
            if not name or '/' in name or '\\' in name or '\0' in name or name in ('.', '..'):
                raise Refused(f"{path}: names the weight file '{name}', expected a plain file name")
        files = [os.path.join(folder, name) for name in paths]
        if not files or not all(os.path.exists(file) for file in files):
            continue
        data = joined_view(files[0], [file_view(file) for file in files])
        tensors += group_tensors(path, data, weights)
        if len(tensors) > MAX_TENSORS:
            raise Refused(f'{path}: lists more than {MAX_TENSORS} tensors')
    if not tensors:
        raise Refused(f'{path}: none of its weight groups is there')
    return tensors, keras_graph(model.get('modelTopology'), [tensor.name for tensor in tensors])


def group_tensors(path, data, weights):
    tensors, offset = [], 0
    for name, shape, dtype, quantized in weights:
        if not isinstance(name, str) or not isinstance(shape, list):
            raise Refused(f'{path}: is not a manifest of weight groups')
        if dtype != 'float32' or quantized:
            raise Refused(f"{path}: '{name}' is not plain float32")
        size = 4 * element_count(name, shape)
        layout = {4: 'hwio', 2: 'io'}.get(len(shape), 'rows')
        turned = {4: lambda s: (s[3], s[2], s[0], s[1]), 2: lambda s: (s[1], s[0])}
        tensors.append(Tensor(name, turned.get(len(shape), tuple)(shape), 'f32',
                              data.part(offset, size, data.name), layout))
        offset += size
    if offset != data.size:
        raise Refused(f'{data.name}: has {data.size} bytes, the manifest says {offset}')
    return tensors
