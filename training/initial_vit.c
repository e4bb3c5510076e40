/* training/initial_vit.c - the tensors of a small vision transformer, as models/vit.c reads them: 4
 * blocks of width 96 with 3 heads, patches of 4 x 4.
 *
 * Drawn as torchvision's VisionTransformer: patches normal with variance 1 / fan-in, positions
 * normal with a deviation of 0.02, the feed-forward part and the projections of attention uniform
 * within sqrt(6 / (fan-in + fan-out)) (Glorot and Bengio, AISTATS 2010), its biases normal with a
 * deviation of 1e-6, what joins the heads uniform within 1 / sqrt(fan-in); all other biases, the
 * class token and the last layer begin at 0. */
#include "initial.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 96, HIDDEN = 4 * WIDTH, PATCH = 4 };

static void add_zeros(Fresh *fresh, const char *name, Shape shape)
{
    fresh_tensor(fresh, name, NULL, shape, 0);
}

static double glorot(int64_t outputs, int64_t inputs)
{
    return sqrt(6 / (double)(outputs + inputs));
}

// A part of a block by its name.
static const char *in_block(char name[96], int block, const char *part)
{
    snprintf(name, 96, "encoder.layers.encoder_layer_%d.%s", block, part);
    return name;
}

static void add_block(Fresh *fresh, int i)
{
    char n[96];
    fresh_layer_norm(fresh, in_block(n, i, "ln_1"), WIDTH);
    fresh_uniform(fresh, in_block(n, i, "self_attention.in_proj_weight"),
                  shape_2d(3 * WIDTH, WIDTH), glorot(3 * WIDTH, WIDTH));
    add_zeros(fresh, in_block(n, i, "self_attention.in_proj_bias"), shape_1d(3 * WIDTH));
    fresh_uniform(fresh, in_block(n, i, "self_attention.out_proj.weight"), shape_2d(WIDTH, WIDTH),
                  sqrt(1 / (double)WIDTH));
    add_zeros(fresh, in_block(n, i, "self_attention.out_proj.bias"), shape_1d(WIDTH));
    fresh_layer_norm(fresh, in_block(n, i, "ln_2"), WIDTH);
    fresh_uniform(fresh, in_block(n, i, "mlp.0.weight"), shape_2d(HIDDEN, WIDTH),
                  glorot(HIDDEN, WIDTH));
    fresh_normal(fresh, in_block(n, i, "mlp.0.bias"), shape_1d(HIDDEN), 1e-6);
    fresh_uniform(fresh, in_block(n, i, "mlp.3.weight"), shape_2d(WIDTH, HIDDEN),
                  glorot(WIDTH, HIDDEN));
    fresh_normal(fresh, in_block(n, i, "mlp.3.bias"), shape_1d(WIDTH), 1e-6);
}

void fresh_vit(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    int64_t tokens = (side / PATCH) * (side / PATCH) + 1;
    fresh_normal(fresh, "conv_proj.weight", shape_4d(WIDTH, 3, PATCH, PATCH),
                 sqrt(1 / (double)(3 * PATCH * PATCH)));
    add_zeros(fresh, "conv_proj.bias", shape_1d(WIDTH));
    add_zeros(fresh, "class_token", shape_3d(1, 1, WIDTH));
    fresh_normal(fresh, "encoder.pos_embedding", shape_3d(1, tokens, WIDTH), 0.02);
    for (int i = 0; i < depth; i++)
        add_block(fresh, i);
    fresh_layer_norm(fresh, "encoder.ln", WIDTH);
    add_zeros(fresh, "heads.head.weight", shape_2d(classes, WIDTH));
    add_zeros(fresh, "heads.head.bias", shape_1d(classes));
}
