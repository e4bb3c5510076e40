/* tests/test_requests.c - what can be asked of a network besides one layer with its own weights. */
#include "blob_builder.h"
#include "drawn_network.h"
#include "test.h"
#include "../models/models.h"

#include <stdio.h>
#include <string.h>

/* resnet20 of drawn weights for pictures of SIDE x SIDE. */
enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE };

static WeightBlob *resnet20(void)
{
    char        path[1200];
    WeightBlob *blob = NULL;
    snprintf(path, sizeof path, "%s/resnet20.nw", test_folder());
    CHECK(drawn_network("resnet20", SIDE, path) && blob_open(path, &blob, NULL));
    return blob;
}

static void draw_pixels(real *pixels, int64_t count, uint64_t stream)
{
    Random random = random_stream(test_seed() + stream, "pixels");
    for (int64_t i = 0; i < count; i++)
        pixels[i] = (real)random_unit(random_word(&random));
}

/* ---- a softplus whose beta changes ----------------------------------------------------------- */

/* The logits and the gradient of the first with respect to the pixels. */
typedef struct Map {
    Graph  *graph;
    Plan   *plan;
    Network network;
    NodeId  gradient, beta;
} Map;

/* fixed: beta is built in, else it is an input of each run. */
static bool map_open(Map *map, WeightBlob *blob, real fixed)
{
    Error          error   = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .softplus_beta = fixed};
    if (!CHECK(graph_create(&map->graph, NULL)))
        return false;
    if (fixed == 0) {
        map->beta        = op_scalar_input(map->graph, 1, "beta");
        request.softplus = &map->beta;
    }
    if (!CHECK(network_build(map->graph, blob, &request, &map->network, &error)))
        return false;
    NodeId logit = op_pick(map->graph, map->network.layer, 0);
    graph_gradient(map->graph, logit, &map->network.pixels, 1, &map->gradient);
    NodeId outputs[2] = {map->network.layer, map->gradient};
    if (!CHECK(plan_create(&map->plan, map->graph, outputs, 2, NULL, &error)))
        return false;
    draw_pixels(plan_input(map->plan, map->network.pixels), PIXELS, 0);
    return true;
}

static void map_close(Map *map)
{
    plan_destroy(map->plan);
    graph_destroy(map->graph);
}

static void beta_may_change_between_runs(void)
{
    static const real betas[3] = {30, (real)0.8, 300};
    WeightBlob       *blob     = resnet20();
    Map               run      = {0};
    if (map_open(&run, blob, 0))
        for (int i = 0; i < 3; i++) {
            Map built = {0};
            if (map_open(&built, blob, betas[i])) {
                plan_set_scalar(run.plan, run.beta, betas[i]);
                plan_run(run.plan);
                plan_run(built.plan);
                CHECK(memcmp(plan_output(run.plan, run.network.layer),
                             plan_output(built.plan, built.network.layer), 10 * sizeof(real)) == 0);
                CHECK(memcmp(plan_output(run.plan, run.gradient),
                             plan_output(built.plan, built.gradient), PIXELS * sizeof(real)) == 0);
            }
            map_close(&built);
        }
    map_close(&run);
    blob_close(blob);
}

SUITE(requests)
{
    RUN(beta_may_change_between_runs);
}
