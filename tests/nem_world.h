/* tests/nem_world.h - small random probing sets on disk, a layer for them, and the truth about
 * both.
 *
 * A photo's first pixel tells its number, so a layer can answer with the maps of a table: whatever
 * is measured through files and layers can be computed from the tables alone, the slow and obvious
 * way. */
#ifndef TESTS_NEM_WORLD_H
#define TESTS_NEM_WORLD_H

#include "../nem/dissect/dissect.h"

enum {
    WORLD_MAX_IMAGES = 40,
    WORLD_MAX_PLANES = 3,
    WORLD_SIDE       = 8,
    WORLD_CATEGORIES = 4,
    WORLD_LABELS     = 14,
    WORLD_PHOTO      = 16,
    WORLD_MAX_CELLS  = 256,
    WORLD_UNITS      = 5
};

typedef struct WorldCell { // one category's cell of index.csv
    int      plane_count, whole_count;
    uint16_t planes[WORLD_MAX_PLANES][WORLD_SIDE * WORLD_SIDE];
    int      whole[2];
} WorldCell;

typedef struct World {
    char      folder[512];
    int       image_count, label_count; // label slots
    int       number[WORLD_MAX_IMAGES]; // a photo's number: its place in `maps` and its file name
    WorldCell cells[WORLD_MAX_IMAGES][WORLD_CATEGORIES]; // by number
    double    coverage[WORLD_CATEGORIES][WORLD_LABELS];  // as in c_<category>.csv
    bool      listed[WORLD_CATEGORIES][WORLD_LABELS];
    int       height, width;
    float     maps[WORLD_MAX_IMAGES][WORLD_UNITS][WORLD_MAX_CELLS]; // by number
    int       runs;                                                 // calls of the layer
} World;

extern const char *const world_categories[WORLD_CATEGORIES];

/* Draws a world: `images` photos, maps of height x width. Writes nothing. */
World *world_draw(uint64_t seed, int images, int height, int width);
/* Writes it into a folder below the test's own. */
bool world_write(World *world, const char *name);
/* Only the tables (index, labels, categories), after a change of number[] or names. */
bool world_write_tables(const World *world);
void world_free(World *world);

/* A layer that answers with the maps of the photos it is shown. */
ActivationSource world_layer(World *world, int64_t batch);

/* The truth, from the tables: thresholds, tally, concepts of a mode, all dense and unhurried. */
typedef struct Truth {
    double   threshold[WORLD_UNITS];
    uint64_t truth[WORLD_LABELS], both[WORLD_UNITS][WORLD_LABELS];
    uint64_t activity[WORLD_UNITS][WORLD_CATEGORIES];
    int      category_count, category[WORLD_CATEGORIES]; // world's numbers of those in use
    int      primary[WORLD_LABELS];                      // into category[]
    int      concept_label[WORLD_UNITS], concept_category[WORLD_UNITS];
    double   concept_score[WORLD_UNITS];
} Truth;

void world_truth(const World *world, const char *mode, Truth *out);

/* A world, opened: what most tests start from. */
typedef struct Setup {
    World      *world;
    ProbeSet    probe;
    PlaneCache *planes;
} Setup;

/* Draws a world, writes it and opens it as a mode does. */
bool setup_open(Setup *setup, uint64_t seed, int images, int height, int width, const char *mode);
/* Opens (again) what is on disk. */
bool setup_probe(Setup *setup, const char *mode, size_t plane_bytes);
void setup_close(Setup *setup);
/* The set through the world's layer. */
Inputs setup_inputs(const Setup *setup, int64_t batch);
/* Dissects the world's layer. */
bool setup_run(const Setup *setup, const DissectRules *rules, int64_t batch, Dissection *out,
               Error *error);

/* Network Dissection opened on it, and what it finds. */
bool setup_explain(const Setup *setup, const char *mode, Explainer *explainer, Evidence **out);

/* Plain files, written without the syncing that results need. */
bool write_bytes(const char *path, const void *data, size_t size);
bool write_text(const char *folder, const char *name, const char *text);

#endif
