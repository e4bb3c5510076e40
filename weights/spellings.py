"""Transformers under the names of timm and of Hugging Face's transformers, as architectures call
them. Matrices that lie apart there are packed, and turned where they stand the other way."""

import re

from readers.source import from_hwio

TIMM_VIT = ((r'cls_token', 'class_token'), (r'pos_embed', 'encoder.pos_embedding'),
            (r'patch_embed\.proj\.(\w+)', r'conv_proj.\1'), (r'norm\.(\w+)', r'encoder.ln.\1'),
            (r'head\.(\w+)', r'heads.head.\1'),
            (r'blocks\.(\d+)\.norm([12])\.(\w+)', r'encoder.layers.encoder_layer_\1.ln_\2.\3'),
            (r'blocks\.(\d+)\.attn\.qkv\.(\w+)',
             r'encoder.layers.encoder_layer_\1.self_attention.in_proj_\2'),
            (r'blocks\.(\d+)\.attn\.proj\.(\w+)',
             r'encoder.layers.encoder_layer_\1.self_attention.out_proj.\2'),
            (r'blocks\.(\d+)\.mlp\.fc1\.(\w+)', r'encoder.layers.encoder_layer_\1.mlp.0.\2'),
            (r'blocks\.(\d+)\.mlp\.fc2\.(\w+)', r'encoder.layers.encoder_layer_\1.mlp.3.\2'))
BLOCK = r'encoder\.layer\.(\d+)\.'
HUGGING_FACE_VIT = (
    (r'embeddings\.cls_token', 'class_token'),
    (r'embeddings\.position_embeddings', 'encoder.pos_embedding'),
    (r'embeddings\.patch_embeddings\.projection\.(\w+)', r'conv_proj.\1'),
    (r'layernorm\.(\w+)', r'encoder.ln.\1'), (r'classifier\.(\w+)', r'heads.head.\1'),
    (BLOCK + r'layernorm_before\.(\w+)', r'encoder.layers.encoder_layer_\1.ln_1.\2'),
    (BLOCK + r'layernorm_after\.(\w+)', r'encoder.layers.encoder_layer_\1.ln_2.\2'),
    (BLOCK + r'attention\.attention\.(query|key|value)\.(\w+)',
     r'encoder.layers.encoder_layer_\1.self_attention.\2.\3'),
    (BLOCK + r'attention\.output\.dense\.(\w+)',
     r'encoder.layers.encoder_layer_\1.self_attention.out_proj.\2'),
    (BLOCK + r'intermediate\.dense\.(\w+)', r'encoder.layers.encoder_layer_\1.mlp.0.\2'),
    (BLOCK + r'output\.dense\.(\w+)', r'encoder.layers.encoder_layer_\1.mlp.3.\2'))
TOWER = r'(text|vision)_model\.'
TOWER_BLOCK = TOWER + r'encoder\.layers\.(\d+)\.'
HUGGING_FACE_CLIP = (
    (r'vision_model\.embeddings\.class_embedding', 'visual.class_embedding'),
    (r'vision_model\.embeddings\.patch_embedding\.weight', 'visual.conv1.weight'),
    (r'vision_model\.embeddings\.position_embedding\.weight', 'visual.positional_embedding'),
    (r'vision_model\.pre_layrnorm\.(\w+)', r'visual.ln_pre.\1'),
    (r'vision_model\.post_layernorm\.(\w+)', r'visual.ln_post.\1'),
    (r'visual_projection\.weight', 'turned visual.proj'),
    (r'text_projection\.weight', 'turned text_projection'),
    (r'text_model\.embeddings\.token_embedding\.weight', 'token_embedding.weight'),
    (r'text_model\.embeddings\.position_embedding\.weight', 'positional_embedding'),
    (r'text_model\.final_layer_norm\.(\w+)', r'ln_final.\1'),
    (TOWER_BLOCK + r'self_attn\.q_proj\.(\w+)', r'\1 transformer.resblocks.\2.attn.query.\3'),
    (TOWER_BLOCK + r'self_attn\.k_proj\.(\w+)', r'\1 transformer.resblocks.\2.attn.key.\3'),
    (TOWER_BLOCK + r'self_attn\.v_proj\.(\w+)', r'\1 transformer.resblocks.\2.attn.value.\3'),
    (TOWER_BLOCK + r'self_attn\.out_proj\.(\w+)', r'\1 transformer.resblocks.\2.attn.out_proj.\3'),
    (TOWER_BLOCK + r'layer_norm([12])\.(\w+)', r'\1 transformer.resblocks.\2.ln_\3.\4'),
    (TOWER_BLOCK + r'mlp\.fc1\.(\w+)', r'\1 transformer.resblocks.\2.mlp.c_fc.\3'),
    (TOWER_BLOCK + r'mlp\.fc2\.(\w+)', r'\1 transformer.resblocks.\2.mlp.c_proj.\3'))

# {architecture: ((publisher, a name that only that one has, rules), ...)}
PUBLISHERS = {'vit': (('timm', 'blocks.0.attn.qkv.weight', TIMM_VIT),
                      ('huggingface', 'encoder.layer.0.attention.attention.query.weight',
                       HUGGING_FACE_VIT)),
              'clip_vit': (('huggingface', 'vision_model.encoder.layers.0.self_attn.q_proj.weight',
                            HUGGING_FACE_CLIP),)}
APART = re.compile(r'(.*)\.(query|key|value)\.(weight|bias)')


class Packed:
    """Tensors behind one another on their first axis."""

    is_number = True

    def __init__(self, parts):
        self.parts = parts
        self.name = ' + '.join(part.name for part in parts)
        self.shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
        self.place = tuple(part.place for part in parts)

    @property
    def kind(self):
        kinds = {part.kind for part in self.parts}
        return kinds.pop() if len(kinds) == 1 else ' and '.join(sorted(kinds))

    def open(self):
        return Packed([part.open() for part in self.parts])

    def blocks(self):
        for part in self.parts:
            yield from part.blocks()


class Turned:
    """A matrix with rows for columns."""

    is_number = True

    def __init__(self, tensor):
        self.tensor, self.name, self.kind = tensor, tensor.name, tensor.kind
        self.shape, self.place = tensor.shape[::-1], tensor.place

    def open(self):
        return Turned(self.tensor.open())

    def blocks(self):
        yield from_hwio(self.tensor.load(), (*self.shape, 1, 1)).tobytes()


def spelled(net, named):
    """(tensors under the names of `net`, the publisher whose names they had or '')."""
    for publisher, telling, rules in PUBLISHERS.get(net.name, ()):
        if telling in named:
            return packed(renamed(named, rules)), publisher
    return named, ''


def renamed(named, rules):
    out = {}
    for name, tensor in named.items():
        place = next((found.expand(there) for found, there in
                      ((re.fullmatch(here, name), there) for here, there in rules) if found), name)
        kind, _, rest = place.rpartition(' ')
        if kind == 'turned' and len(tensor.shape) == 2 and tensor.is_number:
            tensor = Turned(tensor)
        place = f'visual.{rest}' if kind == 'vision' else rest
        out[name if place in out or place in named else place] = tensor   # two for one: a stray
    return out


def packed(named):
    """Queries, keys and values as one matrix, where all three are there and of one shape."""
    out = dict(named)
    for name in named:
        at = APART.fullmatch(name)
        if not at or at[2] != 'query':
            continue
        names = [f'{at[1]}.{part}.{at[3]}' for part in ('query', 'key', 'value')]
        parts = [named[part] for part in names if part in named]
        if len(parts) == 3 and all(part.shape == parts[0].shape and part.shape and part.is_number
                                   for part in parts):
            out[f'{at[1]}.in_proj_{at[3]}'] = Packed(parts)
            for part in names:
                del out[part]
    return out
