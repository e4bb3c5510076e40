/* attack/unit_network.c - see unit_network.h. */
#include "unit_network.h"

bool unit_network_open(UnitNetwork *out, const UnitBuilder *builder, int64_t unit, int64_t batch,
                       int64_t height, int64_t width, Error *error)
{
    UnitNetwork made   = {.batch = batch, .height = height, .width = width};
    Shape       pixels = shape_4d(batch, PIXEL_CHANNELS, height, width);
    bool        done   = graph_create(&made.graph, error) &&
                builder->build(builder->self, made.graph, pixels, unit, &made.network, error);
    if (done) {
        Shape maps      = graph_shape(made.graph, made.network.layer);
        made.map_height = maps.rank == 4 ? maps.dim[2] : 1;
        made.map_width  = maps.rank == 4 ? maps.dim[3] : 1;
        made.weights    = op_input(made.graph, maps, "weights");
        NodeId sum      = op_dot(made.graph, made.network.layer, made.weights);
        done = pgd_create(&made.pgd, made.graph, made.network.pixels, sum, &builder->plan, error);
    }
    if (!done) {
        unit_network_close(&made);
        return false;
    }
    *out = made;
    return true;
}

void unit_network_close(UnitNetwork *network)
{
    pgd_destroy(network->pgd);
    graph_destroy(network->graph);
    *network = (UnitNetwork){0};
}

int64_t unit_batch(const AttackSetup *setup)
{
    return setup->batch ? setup->batch : setup->inputs->layer.batch;
}

int64_t group_length(const int64_t *images, int64_t count)
{
    int64_t length = 1;
    while (length < count && images[length] / ATTACK_GROUP == images[0] / ATTACK_GROUP)
        length++;
    return length;
}

bool attack_cancelled(const Pass *pass, Error *error)
{
    return pass_cancelled(pass) &&
           !fail(error, ERROR_AGAIN, "interrupted%s", pass->checkpoint ? CHECKPOINT_HINT : "");
}

/* ---- the network of a weight blob ------------------------------------------------------------ */

static bool build_from_blob(void *self, Graph *graph, Shape pixels, int64_t unit, Network *out,
                            Error *error)
{
    const BlobLayer *layer   = self;
    NetworkRequest   request = {.batch     = pixels.dim[0],
                                .layer     = layer->layer,
                                .post_relu = layer->post_relu,
                                .unit      = unit,
                                .width     = pixels.dim[3],
                                .height    = pixels.dim[2]};
    return network_build(graph, layer->blob, &request, out, error);
}

UnitBuilder unit_builder(BlobLayer *layer)
{
    return (UnitBuilder){build_from_blob, layer, {.conv = layer->conv}};
}
