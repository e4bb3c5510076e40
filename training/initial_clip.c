/* training/initial_clip.c - the tensors of the small contrastive pair, as models/clip_mini.c and
 * models/text.c read them: the convolutions of `mini`, and a text tower of 2 blocks of width 64
 * with 4 heads, for texts of 12 tokens; both end in 64 numbers.
 *
 * The text tower and both projections are drawn as CLIP's: normal, tokens with a deviation of 0.02,
 * places 0.01, matrices 1 / sqrt(fan-in), those that end a residual branch by sqrt(2 blocks) less,
 * the first of the feed-forward part 1 / sqrt(2 fan-in); biases 0. Source: initialize_parameters of
 * the model.py of Radford et al., ICML 2021. */
#include "initial.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 64, HIDDEN = 4 * WIDTH, BLOCKS = 2, CONTEXT = 12 };

static void add_matrix(Fresh *fresh, const char *name, int64_t rows, int64_t columns,
                       double deviation)
{
    fresh_normal(fresh, name, shape_2d(rows, columns), deviation);
}

static const char *in_block(char name[64], int block, const char *part)
{
    snprintf(name, 64, "transformer.resblocks.%d.%s", block, part);
    return name;
}

static void add_block(Fresh *fresh, int i)
{
    double width = 1 / sqrt((double)WIDTH), end = width / sqrt(2.0 * BLOCKS);
    char   n[64];
    fresh_layer_norm(fresh, in_block(n, i, "ln_1"), WIDTH);
    add_matrix(fresh, in_block(n, i, "attn.in_proj_weight"), 3 * WIDTH, WIDTH, width);
    fresh_tensor(fresh, in_block(n, i, "attn.in_proj_bias"), NULL, shape_1d(3 * WIDTH), 0);
    add_matrix(fresh, in_block(n, i, "attn.out_proj.weight"), WIDTH, WIDTH, end);
    fresh_tensor(fresh, in_block(n, i, "attn.out_proj.bias"), NULL, shape_1d(WIDTH), 0);
    fresh_layer_norm(fresh, in_block(n, i, "ln_2"), WIDTH);
    add_matrix(fresh, in_block(n, i, "mlp.c_fc.weight"), HIDDEN, WIDTH, width / sqrt(2.0));
    fresh_tensor(fresh, in_block(n, i, "mlp.c_fc.bias"), NULL, shape_1d(HIDDEN), 0);
    add_matrix(fresh, in_block(n, i, "mlp.c_proj.weight"), WIDTH, HIDDEN, end);
    fresh_tensor(fresh, in_block(n, i, "mlp.c_proj.bias"), NULL, shape_1d(WIDTH), 0);
}

void fresh_clip_mini(Fresh *fresh, int depth, int64_t side, int32_t tokens)
{
    (void)depth, (void)side;
    int64_t units = fresh_mini_trunk(fresh);
    add_matrix(fresh, "image_projection", units, WIDTH, 1 / sqrt((double)units));
    add_matrix(fresh, "token_embedding.weight", tokens, WIDTH, 0.02);
    add_matrix(fresh, "positional_embedding", CONTEXT, WIDTH, 0.01);
    for (int i = 0; i < BLOCKS; i++)
        add_block(fresh, i);
    fresh_layer_norm(fresh, "ln_final", WIDTH);
    add_matrix(fresh, "text_projection", WIDTH, WIDTH, 1 / sqrt((double)WIDTH));
}
