/* models/text.c - networks of texts: CLIP's text tower and RoBERTa's encoder, on tokens [n, count].
 *
 * CLIP: a vector a token and a place, blocks that see no later token, a layer norm and a matrix on
 * the end token. RoBERTa: a layer norm on the sum of three vectors, then blocks that see all
 * tokens; places are counted from 2, as its padding is token 1. Layers: encoder_layer_I and those
 * of a block, [n, width, 1, count]; `embeddings` before the first block; CLIP's `embedding` [n,
 * outputs]. Source: Radford et al., ICML 2021, section 2.4, and its published model.py; Liu et al.,
 * arXiv 1907.11692, under the tensor names of Hugging Face. */
#include "transformer.h"

#include <stdio.h>

enum { ROBERTA_FIRST_PLACE = 2 };

static const real hidden_score     = (real)-1e30; // finite, and its exponential is zero
static const char roberta_blocks[] = "encoder.layer.";

static const BlockKind clip_block   = CLIP_BLOCK;
static const BlockKind roberta_kind = {.query = "attention.self.query",
                                       .key   = "attention.self.key",
                                       .value = "attention.self.value",
                                       .join  = "attention.output.dense",
                                       .up    = "intermediate.dense",
                                       .down  = "output.dense",
                                       .norm  = {"attention.output.LayerNorm", "output.LayerNorm"},
                                       .activation = BLOCK_GELU};

// Vectors of the tokens [n, width, 1, count].
static NodeId look_up(Builder *builder, NodeId tokens, const char *base)
{
    LayerText name   = layer_text("%s.weight", base);
    Shape     stored = builder_shape(builder, name.text, 2);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId table = builder_tensor(builder, name.text, stored, stored);
    return builder_is_over(builder)
               ? NODE_NONE
               : tokens_turned(builder, op_gather_rows(builder->graph, table, tokens));
}

// x and the vectors of its places, rows of a table [places, width] from `first` on.
static NodeId add_places(Builder *builder, NodeId x, const char *name, int64_t first)
{
    Shape stored = builder_shape(builder, name, 2);
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph *graph = builder->graph;
    Shape  in    = graph_shape(graph, x);
    if (stored.dim[0] < in.dim[3] + first)
        fail(&builder->lack, ERROR_USAGE, "%s: %lld tokens, it takes up to %lld",
             blob_path(builder->blob), (long long)in.dim[3], (long long)(stored.dim[0] - first));
    stored.dim[1] = in.dim[1];
    NodeId places = tokens_table(builder, name, stored, first, in.dim[3]);
    return builder_is_over(builder) ? NODE_NONE
                                    : op_add(graph, x, op_broadcast_to(graph, places, in));
}

// [1, count, count]: what a query must not see of later keys, added to its scores.
static NodeId causal_mask(Builder *builder, int64_t count)
{
    real *mask   = NULL;
    bool  is_new = false;
    if (!blob_derived(builder->blob, LAYER("causal mask of %lld", (long long)count),
                      (size_t)(count * count), &mask, &is_new, &builder->lack))
        return NODE_NONE;
    for (int64_t query = 0; is_new && query < count; query++)
        for (int64_t key = query + 1; key < count; key++)
            mask[query * count + key] = hidden_score;
    return op_parameter(builder->graph, shape_3d(1, count, count), mask);
}

// The token of each text that `builder->ends` names, [n, width].
static NodeId end_tokens(Builder *builder, NodeId x)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph *graph = builder->graph;
    Shape  in    = graph_shape(graph, x);
    builder->ends =
        op_index_input(graph, shape_2d(in.dim[0], in.dim[1]), shape_elements(in), "ends");
    return op_gather(graph, x, builder->ends);
}

void clip_text_build(Builder *builder, NodeId tokens, int depth)
{
    Transformer transformer = {.kind = &clip_block, .mask = NODE_NONE};
    NodeId      x           = look_up(builder, tokens, "token_embedding");
    (void)depth;
    x = add_places(builder, x, "positional_embedding", 0);
    build_module(builder, x, "embeddings");
    if (!builder_is_over(builder)) {
        Shape in         = graph_shape(builder->graph, x);
        transformer.mask = causal_mask(builder, in.dim[3]);
        transformer_settings(builder, in.dim[1], "text_heads", &transformer);
    }
    x = transformer_blocks(builder, &transformer, x, "transformer.resblocks.");
    x = tokens_norm(builder, end_tokens(builder, x), "ln_final", transformer.epsilon);
    build_layer(builder, build_projection(builder, x, "text_projection"), "embedding", NULL);
}

NodeId roberta_start(Builder *builder, NodeId tokens)
{
    static const char types[]     = "embeddings.token_type_embeddings.weight";
    Transformer       transformer = {.kind = &roberta_kind};
    NodeId            x           = look_up(builder, tokens, "embeddings.word_embeddings");
    x = add_places(builder, x, "embeddings.position_embeddings.weight", ROBERTA_FIRST_PLACE);
    if (!builder_is_over(builder)) {
        Shape in = graph_shape(builder->graph, x);
        transformer_settings(builder, in.dim[1], "heads", &transformer);
        NodeId type = tokens_table(builder, types, shape_2d(1, in.dim[1]), 0, 1);
        if (!builder_is_over(builder))
            x = op_add(builder->graph, x, op_broadcast_to(builder->graph, type, in));
    }
    return tokens_norm(builder, x, "embeddings.LayerNorm", transformer.epsilon);
}

NodeId roberta_block(Builder *builder, NodeId x, int block)
{
    Transformer transformer = {.kind = &roberta_kind, .mask = NODE_NONE};
    if (!builder_is_over(builder))
        transformer_settings(builder, graph_shape(builder->graph, x).dim[1], "heads", &transformer);
    return transformer_block(builder, &transformer, x, roberta_blocks, block);
}

void roberta_build(Builder *builder, NodeId tokens, int depth)
{
    NodeId x = roberta_start(builder, tokens);
    build_module(builder, x, "embeddings");
    depth = roberta_depth(builder->blob);
    for (int i = 0; i < depth; i++)
        x = roberta_block(builder, x, i);
}

int roberta_depth(const WeightBlob *blob)
{
    return transformer_depth(blob, roberta_blocks);
}
