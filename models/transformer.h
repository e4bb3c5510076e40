/* models/transformer.h - transformers from a blob: tokens, blocks, and what can be read of them.
 *
 * Tokens are channel-major, [n, width, 1, tokens], so that a dense layer is a 1x1 convolution and
 * a head is a slab of channels: splitting and joining heads are reshapes. The first token of an
 * image is the class token, the others are its patches, row by row.
 * Source: Vaswani et al., NeurIPS 2017, section 3; Dosovitskiy et al., ICLR 2021, section 3.1. */
#ifndef MODELS_TRANSFORMER_H
#define MODELS_TRANSFORMER_H

#include "builder.h"
#include "text.h"

typedef enum BlockActivation { BLOCK_RELU, BLOCK_GELU, BLOCK_QUICK_GELU } BlockActivation;

/* How a publisher calls the tensors of a block, after its base, and how the block is made. */
typedef struct BlockKind {
    const char     *packed; // queries, keys and values in one: `packed`_weight; or NULL
    const char     *query, *key, *value; // one by one
    const char     *join;                // of the heads: the output projection
    const char     *up, *down;           // the two dense layers of the feed-forward part
    const char     *norm[2];             // of attention and of the feed-forward part
    bool            norm_first;          // x + f(norm(x)); else norm(x + f(x))
    BlockActivation activation;
} BlockKind;

typedef struct Transformer {
    const BlockKind *kind;
    int64_t          heads;
    real             epsilon;       // of its layer norms
    NodeId           mask;          // [1, tokens, tokens] added to all scores, or NODE_NONE
    int64_t          rows, columns; // of the patches behind a class token; 0: tokens of a text
} Transformer;

/* The blocks of both towers of CLIP, under the names of its release. */
#define CLIP_BLOCK                                                                                 \
    {                                                                                              \
        .packed = "attn.in_proj", .join = "attn.out_proj", .up = "mlp.c_fc", .down = "mlp.c_proj", \
        .norm = {"ln_1", "ln_2"}, .norm_first = true, .activation = BLOCK_QUICK_GELU               \
    }

/* Fills in heads and epsilon from the blob's `about`; width is that of the tokens, `key` says the
 * number of heads. A lack where they are not right. */
void transformer_settings(Builder *builder, int64_t width, const char *key, Transformer *out);

/* How many blocks there are: one more than the largest number behind `prefix` in a name. */
int transformer_depth(const WeightBlob *blob, const char *prefix);

/* All blocks on tokens x; the tensors of block I begin with `prefix`I. Its layers are
 * encoder_layer_I (the output, alias `prefix`I), encoder_layer_I.mlp.0 (before the activation) and
 * encoder_layer_I.heads (before the output projection); the node encoder_layer_I.attention is the
 * soft-max [n heads, queries, keys]. */
NodeId transformer_blocks(Builder *builder, const Transformer *transformer, NodeId x,
                          const char *prefix);

/* Block i alone. */
NodeId transformer_block(Builder *builder, const Transformer *transformer, NodeId x,
                         const char *prefix, int i);

/* RoBERTa in pieces: what its first block reads of tokens [n, count], and one block of it. How many
 * blocks there are stands in text.h. */
NodeId roberta_start(Builder *builder, NodeId tokens);
NodeId roberta_block(Builder *builder, NodeId x, int block);

/* Layer `name` of tokens x: of an image the map of its patches [n, width, rows, columns], and its
 * class token [n, width] as `name`:class; of a text x itself. */
void tokens_layer(Builder *builder, const Transformer *transformer, NodeId x, const char *name,
                  const char *alias, bool is_listed);

/* One token as [n, width]. */
NodeId tokens_pick(Builder *builder, NodeId x, int64_t token);

/* The dense layer `base``joint`weight with its bias, at every token. A lack unless it has so many
 * outputs; ANY_OUTPUTS: as many as its tensor. */
enum { ANY_OUTPUTS = 0 };
NodeId tokens_dense(Builder *builder, NodeId x, const char *base, char joint, int64_t outputs);

/* softmax(q k / sqrt(d)) v, every head on its own: of queries, keys and values [n, width, 1,
 * tokens] (as many keys as values) one vector a query. The soft-max gets this name. */
NodeId tokens_attend(Builder *builder, const Transformer *transformer, const NodeId part[3],
                     const char *name);

/* A lack unless a network with so many places for patches reads an image that has as many, in the
 * same rows and columns: those of the size that the blob prepares, or else a square. `side` is
 * that of a patch in pixels. */
void tokens_check_places(Builder *builder, int64_t places, Shape image, int64_t rows,
                         int64_t columns, int64_t side);

NodeId tokens_norm(Builder *builder, NodeId x, const char *base, real epsilon);

/* `count` rows, from the first-th on, of a table of a vector a token, in the blob of this shape,
 * [tokens, width] or [1, tokens, width], as tokens [1, width, 1, count]. */
NodeId tokens_table(Builder *builder, const char *name, Shape stored, int64_t first, int64_t count);

/* Vectors [n, count, width] as tokens [n, width, 1, count]. */
NodeId tokens_turned(Builder *builder, NodeId vectors);

/* x [n, c] times a matrix [c, outputs] of the blob. */
NodeId build_projection(Builder *builder, NodeId x, const char *name);

#endif
