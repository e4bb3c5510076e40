/* probe/together.h - several layers of one network from one pass over the images.
 *
 * Whoever collects what a layer's units answer asks for one batch of images after another. Here one
 * such piece of work for each layer goes on side by side, and where they ask for the same pixels
 * the network is run once for all of them. Each gets the bits that it would get alone. */
#ifndef PROBE_TOGETHER_H
#define PROBE_TOGETHER_H

#include "source.h"

typedef struct Together Together;

/* All layers of the runner's request, which outlives this. */
bool together_open(Together **out, LayerRunner *runner, Error *error);
void together_close(Together *together); // NULL allowed

/* One of the layers. It may be used outside of together_run as well, and is alone then. */
ActivationSource together_source(Together *together, int layer);

/* Calls work(self, layer) for each layer, all at once as far as they can tell; only one of them
 * runs at a time (base/turns.h). Errors: ERROR_MEMORY; then none was called. */
bool together_run(Together *together, void (*work)(void *self, int layer), void *self,
                  Error *error);

/* Images that went through the network so far. */
int64_t together_images(const Together *together);

#endif
