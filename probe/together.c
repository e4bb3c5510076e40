/* probe/together.c - see together.h. */
#include "together.h"

#include "../base/turns.h"

#include <string.h>

_Static_assert((int)NETWORK_LAYERS <= TURNS_MOST, "each layer has a turn");

/* What a layer asks for. */
typedef struct Asked {
    const real *pixels; // NULL: nothing
    int64_t     count;
    real       *maps;
} Asked;

typedef struct OneLayer {
    Together *together;
    int       layer;
} OneLayer;

struct Together {
    LayerRunner *runner;
    Turns       *turns; // NULL: outside of together_run
    int64_t      images;
    Asked        asked[NETWORK_LAYERS];
    OneLayer     layers[NETWORK_LAYERS];
    void (*work)(void *self, int layer);
    void *self;
};

bool together_open(Together **out, LayerRunner *runner, Error *error)
{
    Together *together = memory_new(1, sizeof *together, error);
    if (!together)
        return false;
    together->runner = runner;
    for (int i = 0; i < NETWORK_LAYERS; i++)
        together->layers[i] = (OneLayer){together, i};
    *out = together;
    return true;
}

void together_close(Together *together)
{
    memory_free(together);
}

int64_t together_images(const Together *together)
{
    return together->images;
}

// Runs the network for a layer if it asks, and for all that ask for the same pixels.
static void answer(Together *together, int layer)
{
    real       *maps[NETWORK_LAYERS] = {NULL};
    const Asked first                = together->asked[layer];
    if (!first.pixels)
        return;
    size_t image = (size_t)(3 * together->runner->image_height * together->runner->image_width);
    size_t bytes = (size_t)first.count * image * sizeof *first.pixels;
    for (int i = layer; i < together->runner->network.layer_count; i++) {
        Asked *asked = &together->asked[i];
        if (!asked->pixels || asked->count != first.count ||
            memcmp(asked->pixels, first.pixels, bytes) != 0)
            continue;
        maps[i] = asked->maps;
        *asked  = (Asked){0};
    }
    together->images += first.count;
    layer_runner_run_all(together->runner, first.pixels, first.count, maps);
}

static void meet(void *self)
{
    Together *together = self;
    for (int i = 0; i < together->runner->network.layer_count; i++)
        answer(together, i);
}

static void run_layer(void *self, const real *pixels, int64_t count, real *maps)
{
    const OneLayer *one         = self;
    Together       *together    = one->together;
    together->asked[one->layer] = (Asked){pixels, count, maps};
    if (together->turns)
        turns_meet(together->turns, one->layer);
    else
        answer(together, one->layer);
}

ActivationSource together_source(Together *together, int layer)
{
    LayerRunner     *runner = together->runner;
    ActivationSource source = layer_source(runner);
    source.units            = runner->sizes[layer].units;
    source.height           = runner->sizes[layer].height;
    source.width            = runner->sizes[layer].width;
    source.is_class_token   = runner->network.is_class_token[layer];
    source.run              = run_layer;
    source.self             = &together->layers[layer];
    return source;
}

static void run_work(void *self, Turns *turns, int layer)
{
    Together *together = self;
    together->turns    = turns;
    together->work(together->self, layer);
}

bool together_run(Together *together, void (*work)(void *self, int layer), void *self, Error *error)
{
    TurnsWork turns = {together->runner->network.layer_count, run_work, meet, together};
    together->work  = work;
    together->self  = self;
    bool done       = turns_run(&turns, error);
    together->turns = NULL;
    return done;
}
