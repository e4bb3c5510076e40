/* models/vit.c - vision transformers: torchvision's ViT, torch's own encoder on patches, and CLIP's
 * image tower.
 *
 * An image is cut into patches, each becomes a token; a class token stands before them, every place
 * has a learnt vector, blocks follow, and a dense layer reads the class token. Depth, widths and
 * the side of a patch are those of the tensors. CLIP has a layer norm before its blocks and
 * projects the class token to an embedding; its activation is the quick GELU.
 * Source: Dosovitskiy et al., ICLR 2021, section 3.1; torchvision's vision_transformer.py for
 * names; Radford et al., ICML 2021, and its published model.py. */
#include "transformer.h"

typedef struct VitKind {
    BlockKind   block;
    const char *patches, *class_token, *positions; // a convolution, [1, 1, c] and [1, tokens, c]
    bool        is_bare;                           // the latter two are [c] and [tokens, c]
    const char *first_norm;                        // before the blocks, or NULL
    const char *blocks;                            // what stands before the number of a block
    const char *norm, *norm_layer;                 // behind the blocks
    const char *head;                              // to logits, or NULL
    const char *projection;                        // to an embedding: a matrix without bias
} VitKind;

static const VitKind torchvision = {
    .block       = {.packed     = "self_attention.in_proj",
                    .join       = "self_attention.out_proj",
                    .up         = "mlp.0",
                    .down       = "mlp.3",
                    .norm       = {"ln_1", "ln_2"},
                    .norm_first = true,
                    .activation = BLOCK_GELU},
    .patches     = "conv_proj",
    .class_token = "class_token",
    .positions   = "encoder.pos_embedding",
    .blocks      = "encoder.layers.encoder_layer_",
    .norm        = "encoder.ln",
    .norm_layer  = "ln",
    .head        = "heads.head",
};

static const VitKind torch_encoder = {
    .block       = {.packed     = "self_attn.in_proj",
                    .join       = "self_attn.out_proj",
                    .up         = "linear1",
                    .down       = "linear2",
                    .norm       = {"norm1", "norm2"},
                    .activation = BLOCK_RELU},
    .patches     = "patch_embed.proj",
    .class_token = "cls_token",
    .positions   = "pos_embed",
    .blocks      = "transformer.layers.",
    .norm        = "mlp_head.0",
    .norm_layer  = "ln",
    .head        = "mlp_head.1",
};

static const VitKind clip = {
    .block       = CLIP_BLOCK,
    .patches     = "visual.conv1",
    .class_token = "visual.class_embedding",
    .positions   = "visual.positional_embedding",
    .is_bare     = true,
    .first_norm  = "visual.ln_pre",
    .blocks      = "visual.transformer.resblocks.",
    .norm        = "visual.ln_post",
    .norm_layer  = "ln",
    .projection  = "visual.proj",
};

// Class token and patches [n, c, rows, columns] as tokens, each with the vector of its place.
static NodeId embed(Builder *builder, const VitKind *kind, NodeId patches, Shape image)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph  *graph = builder->graph;
    Shape   in    = graph_shape(graph, patches);
    int64_t n = in.dim[0], width = in.dim[1], count = in.dim[2] * in.dim[3];
    Shape   table = builder_shape(builder, kind->positions, kind->is_bare ? 2 : 3);
    Shape   token = kind->is_bare ? shape_1d(width) : shape_3d(1, 1, width);
    NodeId  first = builder_tensor(builder, kind->class_token, token, shape_4d(1, width, 1, 1));
    if (table.rank)
        tokens_check_places(builder, table.dim[table.rank - 2] - 1, image, in.dim[2], in.dim[3],
                            image.dim[2] / in.dim[2]);
    if (builder_is_over(builder))
        return NODE_NONE;
    table.dim[table.rank - 1] = width;
    NodeId places             = tokens_table(builder, kind->positions, table, 0, count + 1);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId class = op_broadcast_to(graph, first, shape_4d(n, width, 1, 1));
    NodeId rest  = op_reshape(graph, patches, shape_4d(n, width, 1, count));
    NodeId x     = op_concat(graph, class, rest, 3);
    return op_add(graph, x, op_broadcast_to(graph, places, graph_shape(graph, x)));
}

static void run(Builder *builder, NodeId x, const VitKind *kind)
{
    Transformer transformer = {.kind = &kind->block, .mask = NODE_NONE};
    int         side  = (int)builder_shape(builder, LAYER("%s.weight", kind->patches), 4).dim[2];
    Shape       image = graph_shape(builder->graph, x);
    if (side > 0 && (image.dim[2] % side || image.dim[3] % side))
        fail(&builder->lack, ERROR_DATA,
             "%s: an image of %lldx%lld cannot be cut into whole patches of %dx%d",
             blob_path(builder->blob), (long long)image.dim[3], (long long)image.dim[2], side,
             side);
    x = build_conv(builder, x, kind->patches, side, side, 0);
    build_module(builder, x, "conv_proj");
    if (!builder_is_over(builder)) {
        Shape in            = graph_shape(builder->graph, x);
        transformer.rows    = in.dim[2];
        transformer.columns = in.dim[3];
        transformer_settings(builder, in.dim[1], "heads", &transformer);
    }
    x = embed(builder, kind, x, image);
    if (kind->first_norm)
        x = tokens_norm(builder, x, kind->first_norm, transformer.epsilon);
    x = transformer_blocks(builder, &transformer, x, kind->blocks);
    x = tokens_norm(builder, x, kind->norm, transformer.epsilon);
    tokens_layer(builder, &transformer, x, kind->norm_layer, NULL, false);
    x = tokens_pick(builder, x, 0);
    build_module(builder, x, "pooled");
    if (kind->projection)
        build_layer(builder, build_projection(builder, x, kind->projection), "embedding", NULL);
    else
        build_layer(builder, build_dense(builder, x, kind->head), "logits", kind->head);
}

void vit_build(Builder *builder, NodeId x, int depth)
{
    (void)depth; // counted in the blob
    run(builder, x, &torchvision);
}

void encoder_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    run(builder, x, &torch_encoder);
}

void clip_vit_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    run(builder, x, &clip);
}
