/* tests/test_tally.c - resampling and counting, against numbers worked out by hand. */
#include "../base/file.h"
#include "../image/image.h"
#include "../nem/dissect/dissect_private.h"
#include "nem_world.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- resampling ------------------------------------------------------------------------------ */

static Resampler *resampler_of(const char *mode, int map_side, int label_side, int image_side)
{
    ProbeSet   probe     = {.map_height   = label_side,
                            .map_width    = label_side,
                            .image_height = image_side,
                            .image_width  = image_side};
    Resampler *resampler = NULL;
    CHECK(resampler_open(&resampler, dissect_rules(mode), &probe, map_side, map_side, NULL));
    return resampler;
}

static void golden_enlarging(void) // (W1); Pillow agrees when enlarging
{
    static const float       map[4]     = {0, 1, 2, 3};
    static const float       wanted[16] = {0,    .25f,  .75f,  1,    .5f, .75f,  1.25f, 1.5f,
                                           1.5f, 1.75f, 2.25f, 2.5f, 2,   2.25f, 2.75f, 3};
    static const char *const modes[3]   = {"corrupt23", "clean", "lite"};
    for (int i = 0; i < 3; i++) {
        float      out[16];
        Resampler *resampler = resampler_of(modes[i], 2, 4, 8);
        resampler_map(resampler, map, out);
        CHECK(memcmp(out, wanted, sizeof out) == 0);
        resampler_close(resampler);
    }
}

static void golden_shrinking(void) // (W2), and Pillow's wider triangle (W10)
{
    static float map[64 * 64], out[4];
    Random       random = random_stream(test_seed(), "shrink");
    Resampler   *half   = resampler_of("corrupt23", 4, 2, 8);
    Resampler   *far    = resampler_of("corrupt23", 64, 2, 64);
    Resampler   *wide   = resampler_of("lite", 4, 2, 8);
    for (int i = 0; i < 64 * 64; i++)
        map[i] = (float)random_below(&random, 100);
    resampler_map(half, map, out);
    CHECK(out[0] == (map[0] + map[1] + map[4] + map[5]) / 4);
    CHECK(out[3] == (map[10] + map[11] + map[14] + map[15]) / 4);
    resampler_map(far, map, out); // means of 32 i + 15 and 32 i + 16
    CHECK(out[1] ==
          (map[15 * 64 + 47] + map[15 * 64 + 48] + map[16 * 64 + 47] + map[16 * 64 + 48]) / 4);
    for (int i = 0; i < 16; i++)
        map[i] = (float)(i % 4 == 0); // a bright first column
    resampler_map(wide, map, out);    // triangle 3, 3, 1 over 7 at the edge, 0, 1, 3, 3 inside
    CHECK_CLOSE((double)out[0], 3.0 / 7, 1e-7);
    CHECK(out[1] == 0);
    resampler_close(half);
    resampler_close(far);
    resampler_close(wide);
}

static void golden_field_grid(void) // (W9): conv5_3 by its receptive field, points at 4 + 8 k
{
    DissectRules rules = *dissect_rules("nd2017");
    ProbeSet probe = {.map_height = 112, .map_width = 112, .image_height = 224, .image_width = 224};
    static float map[14 * 14], out[112 * 112];
    Resampler   *resampler = NULL;
    rules.field            = (ReceptiveField){.offset = -90, .size = 196, .step = 16};
    REQUIRE(resampler_open(&resampler, &rules, &probe, 14, 14, NULL));
    for (int i = 0; i < 14 * 14; i++)
        map[i] = (float)(i % 14);
    resampler_map(resampler, map, out);
    CHECK(out[0] == 0 && out[4] == 0 && out[6] == 0.25f && out[12] == 1);
    CHECK(out[4 + 8 * 13] == 13 && out[111] == 13); // the border value goes on
    resampler_close(resampler);
    Error error = {0};
    rules.field = (ReceptiveField){.offset = -2, .size = 5, .step = 1}; // conv1_2
    CHECK(!resampler_open(&resampler, &rules, &probe, 224, 224, &error));
    CHECK(error.code == ERROR_USAGE && strstr(error.message, "step of 0"));
}

static void transposed_is_the_adjoint(void) // exact: whole numbers and weights of a few bits
{
    static const struct {
        const char *mode;
        int         map, label, image;
    } cases[]     = {{"corrupt23", 4, 8, 16}, {"corrupt23", 16, 8, 16}, {"corrupt23", 8, 8, 16},
                     {"nd2017", 4, 8, 16},    {"lite", 4, 8, 16},       {"corrupt23", 5, 8, 16}};
    Random random = random_stream(test_seed(), "adjoint");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        float      map[256], up[64], weights[64], down[256];
        double     left = 0, right = 0;
        int        cells = cases[c].map * cases[c].map;
        Resampler *resampler =
            resampler_of(cases[c].mode, cases[c].map, cases[c].label, cases[c].image);
        for (int i = 0; i < cells; i++)
            map[i] = (float)random_below(&random, 64);
        for (int i = 0; i < 64; i++)
            weights[i] = (float)random_below(&random, 2);
        resampler_map(resampler, map, up);
        resampler_transpose(resampler, weights, down);
        for (int i = 0; i < 64; i++)
            left += (double)up[i] * (double)weights[i];
        for (int i = 0; i < cells; i++)
            right += (double)map[i] * (double)down[i];
        CHECK(left == right);
        resampler_close(resampler);
    }
}

static void masks_equal_resampled_maps(void) // only a few rows are computed: the right ones
{
    static const struct {
        const char *mode;
        int         map;
    } cases[]     = {{"corrupt23", 3}, {"corrupt23", 16}, {"lite", 16},    {"lite", 5},
                     {"lite", 13},     {"nd2017", 4},     {"corrupt23", 1}};
    Random random = random_stream(test_seed(), "masks");
    for (int round = 0; round < 140; round++) {
        float       map[256], out[64], threshold = (float)random_below(&random, 90) - 45.5f;
        uint32_t    pixels[64];
        MaskScratch scratch;
        int         side      = cases[round % 7].map;
        Resampler  *resampler = resampler_of(cases[round % 7].mode, side, 8, 16);
        for (int i = 0; i < side * side; i++)
            map[i] = (float)random_below(&random, 100) - 50.0f;
        REQUIRE(mask_scratch_open(&scratch, resampler, NULL));
        int64_t count = resampler_mask(resampler, map, threshold, &scratch, pixels), at = 0;
        resampler_map(resampler, map, out);
        for (uint32_t i = 0; i < 64; i++)
            if (out[i] > threshold)
                CHECK(at < count && pixels[at++] == i);
        CHECK(at == count);
        mask_scratch_close(&scratch);
        resampler_close(resampler);
    }
}

/* ---- kept cells ------------------------------------------------------------------------------ */

// While the bound rises the store forgets; what it keeps gives the mask of the whole map.
static void kept_cells_give_the_same_masks(void)
{
    enum { IMAGES = 300, SIDE = 13, CELLS = SIDE * SIDE };
    static float maps[IMAGES][CELLS];
    float        room[CELLS], bound = -INFINITY;
    Random       random = random_stream(test_seed(), "cells");
    for (int mode = 0; mode < 2; mode++) {
        Resampler  *resampler = resampler_of(mode ? "lite" : "corrupt23", SIDE, 8, 16);
        CellShape   shape     = {.height = SIDE, .width = SIDE};
        CellStore   store;
        CellScratch scratch;
        CellCursor  cursor = {0};
        MaskScratch mask;
        resampler_reach(resampler, &shape.reach_rows, &shape.reach_columns);
        REQUIRE(cells_open(&store, IMAGES, NULL) && cell_scratch_open(&scratch, &shape, NULL) &&
                mask_scratch_open(&mask, resampler, NULL));
        bound = -INFINITY;
        for (int image = 0; image < IMAGES; image++) {
            bool finite;
            for (int i = 0; i < CELLS; i++)
                maps[image][i] = (float)random_below(&random, 1000);
            bound = image < 40 ? bound : 980.0f + (float)(image / 50);
            REQUIRE(cells_add(&store, &shape, maps[image],
                              values_maximum(maps[image], CELLS, &finite), bound, &scratch, NULL));
        }
        CHECK(bound == 985.0f && store.settled > 0);          // it was pruned
        CHECK(store.cell_count < (size_t)IMAGES * CELLS / 2); // and is small
        for (int image = 0; image < IMAGES; image++) {
            uint32_t wanted[64], found[64];
            int64_t  count = resampler_mask(resampler, maps[image], 990.0f, &mask, wanted);
            bool     kept  = cells_next(&store, &shape, image, &cursor, room);
            CHECK(kept || count == 0);
            CHECK(!kept || (resampler_mask(resampler, room, 990.0f, &mask, found) == count &&
                            memcmp(wanted, found, (size_t)count * sizeof *found) == 0));
        }
        CHECK(cursor.cell == store.cell_count && cursor.run == store.run_count);
        mask_scratch_close(&mask);
        cell_scratch_close(&scratch);
        cells_close(&store);
        resampler_close(resampler);
    }
}

/* ---- counting (W7, W8) ----------------------------------------------------------------------- */

static bool write_map(const char *folder, const char *name, const uint8_t labels[4])
{
    uint8_t pixels[12] = {0}, *bytes = NULL;
    char    path[600];
    size_t  size  = 0;
    Image   image = {.width = 2, .height = 2, .channels = 3, .pixels = pixels};
    for (int i = 0; i < 4; i++)
        pixels[3 * i] = labels[i];
    snprintf(path, sizeof path, "%s/images/%s", folder, name);
    bool ok = png_encode(&image, &bytes, &size, NULL) && write_bytes(path, bytes, size);
    memory_free(bytes);
    return ok;
}

static bool write_golden_set(const char *folder)
{
    static const uint8_t object[4] = {1, 1, 0, 0}, color0[4] = {5, 5, 5, 6},
                         color1[4] = {6, 6, 6, 6};
    char images[600];
    snprintf(images, sizeof images, "%s/images", folder);
    return folder_create(images, NULL) && write_map(folder, "o0.png", object) &&
           write_map(folder, "c0.png", color0) && write_map(folder, "c1.png", color1) &&
           write_text(folder, "index.csv",
                      "image,split,ih,iw,sh,sw,color,object\n"
                      "a.jpg,train,2,2,2,2,c0.png,o0.png\n"
                      "b.jpg,train,2,2,2,2,c1.png,\n") &&
           write_text(folder, "category.csv", "name\ncolor\nobject\n") &&
           write_text(folder, "label.csv",
                      "number,name,frequency,coverage\n1,cat,1,0.5\n"
                      "5,red-c,1,0.75\n6,blue-c,2,1.25\n") &&
           write_text(folder, "c_color.csv", "number,coverage\n5,0.75\n6,1.25\n") &&
           write_text(folder, "c_object.csv", "number,coverage\n1,0.5\n");
}

static bool golden(const char *mode, const float first[4], const float second[4], ProbeSet *probe,
                   Dissection *out)
{
    const float *maps[2]   = {first, second};
    DissectRules rules     = *dissect_rules(mode);
    PlaneCache  *planes    = NULL;
    rules.quantile_entry   = 1; // p = 1/2 of four high and four low values: T between them
    rules.quantile_entries = 3;
    bool ok = write_golden_set(test_folder()) && probe_open(probe, test_folder(), NULL, NULL) &&
              planes_open(&planes, probe, PLANE_CACHE_BYTES, NULL);
    Inputs inputs = {.probe = probe, .label_planes = planes, .layer = {.height = 2, .width = 2}};
    ok            = ok && dissect_unit(out, &rules, &inputs, maps, NULL);
    planes_close(planes);
    return ok;
}

static void golden_intersections(void)
{
    ProbeSet   probe = {0};
    Dissection found = {0};
    REQUIRE(golden("corrupt23", (float[]){9, 9, 9, 1}, (float[]){9, 1, 1, 1}, &probe, &found));
    CHECK(found.threshold[0] == 5);
    CHECK(found.tally.truth[1] == 2 && found.tally.truth[5] == 3 && found.tally.truth[6] == 5);
    CHECK(found.tally.both[1] == 2 && found.tally.both[5] == 3 && found.tally.both[6] == 1);
    CHECK(found.tally.activity[0] == 4 && found.tally.activity[1] == 3);
    CHECK_CLOSE(dissect_iou(&found, 0, 1), 2.0 / 3, 1e-10);
    CHECK_CLOSE(dissect_iou(&found, 0, 5), 0.75, 1e-10);
    CHECK_CLOSE(dissect_iou(&found, 0, 6), 0.125, 1e-10);
    CHECK(dissect_concept(&found, 0).label == 5 && dissect_concept(&found, 0).category == 0);
    dissection_close(&found);
    probe_close(&probe);
}

static void golden_presence(void)
{
    static const struct {
        const char *mode;
        uint64_t    object;
    } cases[] = {{"nd2017", 2}, {"corrupt23", 0}, {"lite", 0}, {"clean", 0}};
    for (int i = 0; i < 4; i++) {
        ProbeSet   probe = {0};
        Dissection found = {0};
        REQUIRE(
            golden(cases[i].mode, (float[]){1, 1, 9, 9}, (float[]){9, 9, 1, 1}, &probe, &found));
        CHECK(found.tally.activity[1] == cases[i].object);
        CHECK(found.tally.activity[0] == 4 && found.tally.both[1] == 0);
        dissection_close(&found);
        probe_close(&probe);
    }
}

/* ---- the bounded record of 2017 -------------------------------------------------------------- */

typedef struct Record {
    Triple      items[2][4];
    TripleList  lists[2];
    LabelPixels pixels[3];
    ImageLabels labels;
    uint16_t    whole[1];
    ImagePlanes planes;
} Record;

// Two units on one image: labels 1 and 2 on maps, 3 for the whole image. Nine triples.
static void record_fill(Record *record)
{
    *record = (Record){
        .items  = {{{7, -1, 40}, {7, 1, 20}, {7, 2, 20}, {7, 3, 40}},
                   {{7, -1, 10}, {7, 1, 30}, {7, 3, 10}}},
        .pixels = {{1, 50}, {2, 60}, {3, 100}},
        .whole  = {3},
    };
    record->lists[0] = (TripleList){record->items[0], 4, 4};
    record->lists[1] = (TripleList){record->items[1], 3, 3};
    record->labels   = (ImageLabels){record->pixels, 3};
    record->planes   = (ImagePlanes){.whole_count = 1, .whole = record->whole};
}

static void full_records_drop_small_pairs(void)
{
    Record record;
    record_fill(&record); // 3 labels + 2 masks + 2 whole-image pairs = 7 margins, 3 other pairs
    REQUIRE(triples_limit(record.lists, 2, 7, &record.labels, &record.planes, 10, NULL));
    CHECK(record.items[0][1].count == 20 && record.items[0][2].count == 20);
    REQUIRE(triples_limit(record.lists, 2, 7, &record.labels, &record.planes, 9, NULL));
    CHECK(record.items[1][1].count == 30 &&
          record.items[0][1].count == 20); // the earlier of equals
    CHECK(record.items[0][2].count == 0);
    CHECK(record.items[0][0].count == 40 && record.items[1][2].count == 10);
    record_fill(&record);
    REQUIRE(triples_limit(record.lists, 2, 6, &record.labels, &record.planes, 1, NULL));
    CHECK(record.items[0][2].count == 20); // another image's record
}

static void full_margins_leave_no_pairs(void)
{
    Record record;
    record_fill(&record);
    REQUIRE(triples_limit(record.lists, 2, 7, &record.labels, &record.planes, 4, NULL));
    CHECK(record.pixels[0].pixels == 50 && record.pixels[1].pixels == 60 &&
          record.pixels[2].pixels == 100);
    CHECK(record.items[0][0].count == 40); // before the equal pair
    CHECK(record.items[0][3].count == 0 && record.items[1][0].count == 0 &&
          record.items[1][2].count == 0);
    CHECK(record.items[0][1].count == 0 && record.items[0][2].count == 0 &&
          record.items[1][1].count == 0);
    record_fill(&record);
    REQUIRE(triples_limit(record.lists, 2, 7, &record.labels, &record.planes, 2, NULL));
    CHECK(record.pixels[0].pixels == 0 && record.pixels[1].pixels == 60); // truth goes too
}

SUITE(tally)
{
    RUN(golden_enlarging);
    RUN(golden_shrinking);
    RUN(golden_field_grid);
    RUN(transposed_is_the_adjoint);
    RUN(masks_equal_resampled_maps);
    RUN(kept_cells_give_the_same_masks);
    RUN(golden_intersections);
    RUN(golden_presence);
    RUN(full_records_drop_small_pairs);
    RUN(full_margins_leave_no_pairs);
}
