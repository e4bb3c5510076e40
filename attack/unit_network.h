/* attack/unit_network.h - the network up to one unit, for images of one size: maps from pixels, and
 * how each pixel changes sum(maps * weights). */
#ifndef ATTACK_UNIT_NETWORK_H
#define ATTACK_UNIT_NETWORK_H

#include "unit_attack.h"

enum { PIXEL_CHANNELS = 3 };

typedef struct UnitNetwork {
    Graph  *graph;
    Network network;
    NodeId  weights; // input [batch, 1, map_height, map_width]
    Pgd    *pgd;
    int64_t batch, height, width, map_height, map_width;
} UnitNetwork;

bool unit_network_open(UnitNetwork *out, const UnitBuilder *builder, int64_t unit, int64_t batch,
                       int64_t height, int64_t width, Error *error);
void unit_network_close(UnitNetwork *network); // accepts a zeroed object

/* How many images go through a unit's network at a time: as the setup says, or the layer's batch.
 */
int64_t unit_batch(const AttackSetup *setup);

#endif
