/* probe/source.c - a network cut at a layer as a source of activations. */
#include "source.h"

static void run_layer(void *self, const real *pixels, int64_t count, real *maps)
{
    layer_runner_run(self, pixels, count, maps);
}

ActivationSource layer_source(LayerRunner *runner)
{
    return (ActivationSource){.units          = runner->units,
                              .height         = runner->height,
                              .width          = runner->width,
                              .batch          = runner->batch,
                              .image_height   = runner->image_height,
                              .image_width    = runner->image_width,
                              .is_class_token = runner->network.is_class_token[0],
                              .run            = run_layer,
                              .self           = runner};
}
