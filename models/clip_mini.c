/* models/clip_mini.c - the image tower of the small contrastive pair that is built into the program
 * (V6).
 *
 * The eight convolutions of the demo's network `mini` (vgg.c), the mean of each of the last one's
 * units over all places after its ReLU, and a matrix: layers conv1_1 to conv4_2 and `embedding`
 * [n, outputs]. Its text tower is CLIP's (text.c) with a token a word (tokens.h). */
#include "transformer.h"

void clip_mini_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    for (int stage = 0, place = 0; stage < 4; stage++, place++) {
        if (stage > 0)
            x = build_maxpool(builder, x, 2, 2, 0);
        x = vgg_stage(builder, x, stage, 2, false, &place);
    }
    x = build_projection(builder, build_global_mean(builder, x), "image_projection");
    build_layer(builder, x, "embedding", NULL);
}
