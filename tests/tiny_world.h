/* tests/tiny_world.h - a probing set of seventy small pictures and a seeded network to probe. */
#ifndef TESTS_TINY_WORLD_H
#define TESTS_TINY_WORLD_H

#include "../nem/dissect/dissect.h"
#include "../study/study.h"

enum {
    WORLD_IMAGES = 70, // more than one group of 64
    WORLD_SIDE   = 16, // pixels of a photo
    WORLD_MAP    = 8,  // cells of a label map
    WORLD_CELLS  = 4,  // cells of a unit's map
    WORLD_UNITS  = 6,  // the last one is dead: the same value everywhere
    WORLD_HIDDEN = 5,
    WORLD_SIZE   = 3 * WORLD_SIDE * WORLD_SIDE
};

typedef struct WorldLayer {
    Graph  *graph;
    Plan   *plan;
    Network network;
    int64_t batch, runs; // runs: images that went through
} WorldLayer;

typedef struct World {
    ProbeSet     probe;
    PlaneCache  *planes;
    float        photos[WORLD_IMAGES][WORLD_SIZE]; // levels of 8 bits; not on disk
    real         first[WORLD_HIDDEN * 3 * 9], second[WORLD_UNITS * WORLD_HIDDEN * 9];
    real         bias[WORLD_UNITS];
    WorldLayer   layer;
    Inputs       inputs; // all of the above
    DissectRules rules;  // of the mode, with a quantile for few cells
    Mode         mode;
    Explainer    explainer; // Network Dissection, or another method
    RunRecord    record;    // of a clean run
    Pass         pass;      // zeroed
    CleanRun     clean;
    UnitBuilder  builder;
} World;

/* Writes the label maps and tables below test_folder(), opens the set and dissects it in a mode.
 * Labels: 1 red-c, 2 blue-c, 3 box, 4 ball, 5 dotted, 6 striped. The world stays where it is. */
bool world_open(World *out, const char *mode, int64_t batch);
/* The same, explained by another method in its default mode. */
bool world_open_by(World *out, const Method *method, const char *const *values, int64_t batch);
void world_close(World *world); // accepts a zeroed object

extern const int64_t  world_units[WORLD_UNITS]; // all of them
extern const StoreArm world_arms[STORE_ARMS];   // all of them

/* Every unit at two eps in four steps, untargeted, in every arm. */
AttackJob world_job(const World *world);

/* The whole layer once more, with `scale` before the first convolution. */
bool world_layer_open(World *world, WorldLayer *layer, int64_t batch, real scale,
                      ActivationSource *source);
void world_layer_close(WorldLayer *layer);

#endif
