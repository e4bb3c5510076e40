/* training/description.c - see description.h. */
#include "description.h"
#include "objective.h"

static NodeId below(Graph *graph, NodeId rows, NodeId more)
{
    return rows == NODE_NONE ? more : op_concat(graph, rows, more, 0);
}

static NodeId decode(Builder *builder, const DescriptionSizes *sizes, const DescriptionGraph *to)
{
    CaptionView view  = build_caption_view(builder, to->features);
    LstmState   state = build_caption_start(builder, to->features);
    NodeId      all   = NODE_NONE;
    for (int64_t step = 0; step < sizes->steps && !builder_is_over(builder); step++) {
        CaptionStep next = build_caption_step(builder, view, to->words[step], state);
        state            = next.state;
        all              = below(builder->graph, all, next.log_p);
    }
    return all;
}

static NodeId speak(Builder *builder, const DescriptionSizes *sizes, const DescriptionGraph *to)
{
    LstmState states[LANGUAGE_LAYERS];
    NodeId    all    = NODE_NONE;
    int64_t   hidden = builder_shape(builder, "lm.lstm.weight_hh_l0", 2).dim[1];
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId zero = op_constant(builder->graph, shape_2d(sizes->units, hidden), 0);
    for (int layer = 0; layer < LANGUAGE_LAYERS; layer++)
        states[layer] = (LstmState){zero, zero};
    for (int64_t step = 0; step < sizes->steps && !builder_is_over(builder); step++)
        all = below(builder->graph, all, build_language_step(builder, to->words[step], states));
    return all;
}

static NodeId cross_entropy(Graph *graph, NodeId log_p, NodeId target)
{
    return op_scale(graph, op_dot(graph, target, log_p), -1);
}

bool description_build(Graph *graph, WeightBlob *blob, const DescriptionSizes *sizes,
                       Trainables *list, DescriptionGraph *out, Error *error)
{
    NetworkRequest request = {.batch = sizes->units, .unit = -1, .trainables = list};
    Builder        builder = {.graph        = graph,
                              .blob         = blob,
                              .request      = &request,
                              .prefix       = "",
                              .wanted_count = 1,
                              .ends         = NODE_NONE};
    int64_t        words   = builder_shape(&builder, "embedding.weight", 2).dim[0];
    if (builder.lack.code)
        return fail(error, builder.lack.code, "%s", builder.lack.message);
    Shape seen    = shape_3d(sizes->units, sizes->exemplars, sizes->features);
    out->features = op_input(graph, seen, "features");
    out->target   = op_input(graph, shape_2d(sizes->steps * sizes->units, words), "target");
    for (int64_t step = 0; step < sizes->steps; step++)
        out->words[step] = op_index_input(graph, shape_1d(sizes->units), words, "words");
    out->log_p          = decode(&builder, sizes, out);
    out->language_log_p = speak(&builder, sizes, out);
    if (builder.lack.code)
        return fail(error, builder.lack.code, "%s", builder.lack.message);
    list->forward_count = 1;
    out->decoder        = cross_entropy(graph, out->log_p, out->target);
    out->language       = cross_entropy(graph, out->language_log_p, out->target);
    out->loss           = op_add(graph, out->decoder, out->language);
    return graph_check(graph, error);
}
