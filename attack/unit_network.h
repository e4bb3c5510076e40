/* attack/unit_network.h - one unit's network on images of one size, with the gradient of
 * sum(maps * weights) in the pixels. */
#ifndef ATTACK_UNIT_NETWORK_H
#define ATTACK_UNIT_NETWORK_H

#include "attack.h"

enum { PIXEL_CHANNELS = 3 };

typedef struct UnitNetwork {
    Graph  *graph;
    Network network;
    NodeId  weights; // input [batch, 1, map_height, map_width]
    Pgd    *pgd;
    int64_t batch, height, width, map_height, map_width;
} UnitNetwork;

bool unit_network_open(UnitNetwork *out, const AttackJob *job, int64_t unit, int64_t batch,
                       int64_t height, int64_t width, Error *error);
void unit_network_close(UnitNetwork *network); // accepts a zeroed object

/* Batches of one unit's images: given to the job, or the layer's. */
int64_t unit_batch(const AttackJob *job);

/* Images of the list, from its start, that belong to one group of the probing set (9.3). */
int64_t group_length(const int64_t *images, int64_t count);

/* False with ERROR_AGAIN. */
bool attack_interrupted(const CleanRun *clean, Error *error);

#endif
