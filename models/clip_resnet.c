/* models/clip_resnet.c - CLIP's ResNets: a stem of three convolutions, average pools where other
 * ResNets have strides, and attention in place of the last mean.
 *
 * Behind the last stage the mean of all places asks, and the places and the mean itself answer;
 * what comes out is the embedding. Layers: layer1 to layer4, layer1.0 and so on, embedding.
 * Source: Radford et al., ICML 2021, section 2.4, and its published model.py. */
#include "transformer.h"

enum { STRIDE = 32 }; // pixels from one place of the last stage to the next

static NodeId halved(Builder *builder, NodeId x)
{
    return builder_is_over(builder) ? NODE_NONE : op_avgpool2(builder->graph, x);
}

static NodeId conv(Builder *builder, NodeId x, const char *block, int number, int side, int stride)
{
    return build_conv_norm(builder, x, LAYER("%s.conv%d", block, number),
                           LAYER("%s.bn%d", block, number), side, stride, side / 2);
}

static NodeId bottleneck(Builder *builder, NodeId x, const char *block, bool is_halved)
{
    LayerText shortcut = layer_text("%s.downsample", block);
    NodeId    y        = build_activation(builder, conv(builder, x, block, 1, 1, 1));
    y                  = build_activation(builder, conv(builder, y, block, 2, 3, 1));
    y                  = conv(builder, is_halved ? halved(builder, y) : y, block, 3, 1, 1);
    x                  = is_halved ? halved(builder, x) : x;
    if (is_halved || builder_has(builder, LAYER("%s.0", shortcut.text), "weight"))
        x = build_conv_norm(builder, x, LAYER("%s.0", shortcut.text), LAYER("%s.1", shortcut.text),
                            1, 1, 0);
    return build_activation(builder, build_add(builder, y, x));
}

// The mean and all places as tokens, each with the vector of its place.
static NodeId embed(Builder *builder, NodeId x, Shape image)
{
    static const char positions[] = "visual.attnpool.positional_embedding";
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph  *graph = builder->graph;
    Shape   in    = graph_shape(graph, x);
    int64_t width = in.dim[1], count = in.dim[2] * in.dim[3] + 1;
    Shape   there = builder_shape(builder, positions, 2);
    if (there.rank)
        tokens_check_places(builder, there.dim[0] - 1, image, in.dim[2], in.dim[3], STRIDE);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId table = tokens_table(builder, positions, shape_2d(count, width), 0, count);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId mean = op_reshape(graph, op_global_mean(graph, x), shape_4d(in.dim[0], width, 1, 1));
    NodeId rest = op_reshape(graph, x, shape_4d(in.dim[0], width, 1, count - 1));
    NodeId all  = op_concat(graph, mean, rest, 3);
    return op_add(graph, all, op_broadcast_to(graph, table, graph_shape(graph, all)));
}

static NodeId attention_pool(Builder *builder, NodeId x, Shape image)
{
    static const char *const parts[3] = {"visual.attnpool.q_proj", "visual.attnpool.k_proj",
                                         "visual.attnpool.v_proj"};
    Transformer              pool     = {.mask = NODE_NONE};
    NodeId                   part[3]  = {NODE_NONE, NODE_NONE, NODE_NONE};
    int64_t                  width    = 0;
    x                                 = embed(builder, x, image);
    if (!builder_is_over(builder)) {
        width = graph_shape(builder->graph, x).dim[1];
        transformer_settings(builder, width, "heads", &pool);
    }
    for (int i = 0; i < 3; i++) {
        bool   is_query = i == 0 && !builder_is_over(builder);
        NodeId from     = is_query ? op_slice(builder->graph, x, 3, 0, 1) : x;
        part[i]         = tokens_dense(builder, from, parts[i], '.', width);
    }
    x = tokens_attend(builder, &pool, part, "attnpool.attention");
    x = tokens_pick(builder, x, 0);
    return build_dense(builder, x, "visual.attnpool.c_proj");
}

void clip_resnet_build(Builder *builder, NodeId x, int depth)
{
    (void)depth; // counted in the blob
    Shape image = graph_shape(builder->graph, x);
    for (int i = 1; i <= 3; i++)
        x = build_activation(builder, conv(builder, x, "visual", i, 3, i == 1 ? 2 : 1));
    x = halved(builder, x);
    for (int stage = 1; stage <= 4; stage++) {
        LayerText name   = layer_text("layer%d", stage);
        int       blocks = transformer_depth(builder->blob, LAYER("visual.%s.", name.text));
        for (int i = 0; i < blocks; i++) {
            x = bottleneck(builder, x, LAYER("visual.%s.%d", name.text, i), stage > 1 && i == 0);
            build_module(builder, x, LAYER("%s.%d", name.text, i));
        }
        build_layer(builder, x, name.text, LAYER("visual.%s", name.text));
    }
    build_layer(builder, attention_pool(builder, x, image), "embedding", NULL);
}
