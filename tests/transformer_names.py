"""Small transformers, {tensor: (shape, values)}, under the names of publishers other than those
whose names blobs have: what the converter has to undo."""


def timm_names(tensors):
    """torchvision's vision transformer as timm calls its tensors."""
    out = {}
    for name, item in tensors.items():
        for here, there in (('class_token', 'cls_token'), ('encoder.pos_embedding', 'pos_embed'),
                            ('conv_proj', 'patch_embed.proj'), ('encoder.ln.', 'norm.'),
                            ('heads.head', 'head'), ('encoder.layers.encoder_layer_', 'blocks.'),
                            ('.ln_', '.norm'), ('self_attention.in_proj_', 'attn.qkv.'),
                            ('self_attention.out_proj', 'attn.proj'), ('mlp.0', 'mlp.fc1'),
                            ('mlp.3', 'mlp.fc2')):
            name = name.replace(here, there)
        out[name] = item
    return out


def thirds(name, item):
    """{query, key and value: item} of a packed tensor, or it alone."""
    if '.in_proj_' not in name:
        return {name: item}
    (rows, *columns), values = item
    base, part = name.split('.in_proj_')
    step = len(values) // 3
    return {f'{base}.{kind}.{part}': ((rows // 3, *columns), values[i * step:(i + 1) * step])
            for i, kind in enumerate(('query', 'key', 'value'))}


def hugging_face_names(tensors):
    """The same as transformers' ViTForImageClassification calls them."""
    out = {}
    for whole, packed in tensors.items():
        for name, item in thirds(whole, packed).items():
            for here, there in (('class_token', 'embeddings.cls_token'),
                                ('encoder.ln.', 'layernorm.'),
                                ('encoder.pos_embedding', 'embeddings.position_embeddings'),
                                ('conv_proj', 'embeddings.patch_embeddings.projection'),
                                ('encoder.layers.encoder_layer_', 'encoder.layer.'),
                                ('ln_1', 'layernorm_before'), ('ln_2', 'layernorm_after'),
                                ('self_attention.out_proj', 'attention.output.dense'),
                                ('self_attention', 'attention.attention'),
                                ('mlp.0', 'intermediate.dense'), ('mlp.3', 'output.dense')):
                name = name.replace(here, there)
            head = name.replace('heads.head', 'classifier')
            out[head if head != name else f'vit.{name}'] = item
    return out


def turned(item):
    (rows, columns), values = item
    return (columns, rows), [values[r * columns + c] for c in range(columns) for r in range(rows)]


def clip_names(tensors):
    """OpenAI's CLIP as transformers' CLIPModel calls its tensors."""
    out = {}
    for whole, packed in tensors.items():
        tower = 'vision_model' if whole.startswith('visual.') else 'text_model'
        for name, item in thirds(whole, packed).items():
            if name in ('visual.proj', 'text_projection'):
                kind = 'visual' if name == 'visual.proj' else 'text'
                out[f'{kind}_projection.weight'] = turned(item)
                continue
            for here, there in (('visual.conv1', f'{tower}.embeddings.patch_embedding'),
                                ('visual.class_embedding', f'{tower}.embeddings.class_embedding'),
                                ('visual.positional_embedding',
                                 f'{tower}.embeddings.position_embedding.weight'),
                                ('visual.ln_pre', f'{tower}.pre_layrnorm'),
                                ('visual.ln_post', f'{tower}.post_layernorm'),
                                ('token_embedding', f'{tower}.embeddings.token_embedding'),
                                ('ln_final', f'{tower}.final_layer_norm'),
                                ('visual.transformer', 'transformer'),
                                ('transformer.resblocks', f'{tower}.encoder.layers'),
                                ('.attn.query', '.self_attn.q_proj'),
                                ('.attn.key', '.self_attn.k_proj'),
                                ('.attn.value', '.self_attn.v_proj'), ('.attn.', '.self_attn.'),
                                ('.ln_1', '.layer_norm1'), ('.ln_2', '.layer_norm2'),
                                ('mlp.c_fc', 'mlp.fc1'), ('mlp.c_proj', 'mlp.fc2')):
                name = name.replace(here, there)
            if name == 'positional_embedding':
                name = f'{tower}.embeddings.position_embedding.weight'
            out[name] = item
    return out
