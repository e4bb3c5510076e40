"""Settings in a folder from a model hub: what the tensors beside them do not tell."""

import json
import os

from readers.source import Refused, file_view

MAX_CONFIG = 16 << 20      # it lists the classes
MOST_HEADS = 1024


def read_config(folder, name='config.json'):
    """The dictionary in a file of the folder, {} where there is none."""
    path = os.path.join(folder or '', name)
    if not folder or not os.path.exists(path):
        return {}
    view = file_view(path)
    if view.size > MAX_CONFIG:
        raise Refused(f'{path}: has {view.size} bytes, the limit is {MAX_CONFIG}')
    try:
        config = json.loads(view.read(0, view.size))
    except (ValueError, RecursionError):
        config = None
    if type(config) is not dict:
        raise Refused(f'{path}: is not the settings of a model (a JSON object)')
    return config


def is_ported(folder, path):
    """Whether a name says that the tensors were trained in TensorFlow, as timm calls them: that of
    the architecture in config.json, or else of the file (tf_efficientnet_b0_ns-c0e6a31c.pth)."""
    name = read_config(folder).get('architecture', os.path.basename(os.path.abspath(path)))
    return type(name) is str and name.startswith('tf_')


def told(match, config):
    """({key of `about`: number of heads}, epsilon of layer norms or None); refuses the settings of
    another network."""
    heads, epsilons = {}, set()
    for key in match.net.heads:
        part = config
        if len(match.net.heads) > 1:                   # two towers
            part = config.get('text_config' if key == 'text_heads' else 'vision_config')
        part = part if type(part) is dict else {}
        activation = part.get('hidden_act', match.net.activation)
        if activation != match.net.activation:
            raise Refused(f'its config.json has the activation {activation!r:.40}, '
                          f"{match.net.name} has '{match.net.activation}'; such a network is not "
                          'supported')
        count, epsilon = part.get('num_attention_heads'), part.get('layer_norm_eps')
        if count is not None and (type(count) is not int or not 1 <= count <= MOST_HEADS):
            raise Refused(f'its config.json has {count!r:.40} attention heads')
        if epsilon is not None and (type(epsilon) is not float or not 1e-12 <= epsilon <= 1):
            raise Refused(f'its config.json has the epsilon {epsilon!r:.40}, expected 1e-12 to 1')
        if count:
            heads[key] = count
        if epsilon:
            epsilons.add(epsilon)
    if len(epsilons) > 1:
        raise Refused('its config.json has towers with different epsilons, which is not supported')
    return heads, epsilons.pop() if epsilons else None
