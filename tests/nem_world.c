/* tests/nem_world.c - see nem_world.h. The second half is the oracle: it shares no code with
 * nem/. */
#include "nem_world.h"

#include "../base/file.h"
#include "../image/image.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const world_categories[WORLD_CATEGORIES] = {"color", "object", "material", "texture"};

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_cell(Random *random, const World *world, int category, WorldCell *cell)
{
    int labels        = world->label_count;
    cell->plane_count = category == 3 ? 0 : (int)random_below(random, WORLD_MAX_PLANES + 1);
    cell->whole_count = category == 0 ? 0 : (int)random_below(random, 3);
    for (int plane = 0; plane < cell->plane_count; plane++) {
        int patch = 1 + (int)random_below(random, (uint32_t)labels - 1);
        for (int i = 0; i < WORLD_SIDE * WORLD_SIDE; i++)
            cell->planes[plane][i] =
                (uint16_t)(random_below(random, 3) ? patch
                                                   : (int)random_below(random, (uint32_t)labels));
    }
    for (int i = 0; i < cell->whole_count; i++)
        cell->whole[i] = (int)random_below(random, (uint32_t)labels);
}

// Unit 0 is positive, 1 often negative, 2 mostly zero, 3 rises from image to image, 4 is dead.
static float draw_value(Random *random, int unit, int image)
{
    float value = (float)random_below(random, 2000);
    return unit == 0   ? value
           : unit == 1 ? value - 1900.0f
           : unit == 2 ? fmaxf(0, value - 1950.0f)
           : unit == 3 ? value + 3000.0f * (float)image
                       : 0.0f;
}

World *world_draw(uint64_t seed, int images, int height, int width)
{
    Random random      = random_stream(seed, "world");
    World *world       = memory_new(1, sizeof *world, NULL);
    world->image_count = images;
    world->label_count = WORLD_LABELS;
    world->height      = height;
    world->width       = width;
    for (int category = 0; category < WORLD_CATEGORIES; category++)
        for (int label = 1; label < WORLD_LABELS; label++) {
            world->listed[category][label]   = random_below(&random, 3) > 0;
            world->coverage[category][label] = random_below(&random, 4) * 1e-5; // ties are common
        }
    for (int image = 0; image < images; image++) {
        world->number[image] = image;
        for (int category = 0; category < WORLD_CATEGORIES; category++)
            draw_cell(&random, world, category, &world->cells[image][category]);
        world->cells[image][0].plane_count  = 1; // every photo has a label
        world->cells[image][0].planes[0][0] = 1;
        for (int unit = 0; unit < WORLD_UNITS; unit++) // whole numbers: sums are exact
            for (int i = 0; i < height * width; i++)
                world->maps[image][unit][i] = draw_value(&random, unit, image);
    }
    return world;
}

void world_free(World *world)
{
    memory_free(world);
}

/* ---- writing --------------------------------------------------------------------------------- */

bool write_bytes(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool  ok   = file && fwrite(data, 1, size, file) == size;
    return file && fclose(file) == 0 && ok;
}

bool write_text(const char *folder, const char *name, const char *text)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, NULL) && write_bytes(path, text, strlen(text));
}

static bool write_png(const World *world, const char *name, int side, int channels, uint8_t *pixels)
{
    char     path[LIMIT_PATH];
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    Image    image = {.width = side, .height = side, .channels = channels, .pixels = pixels};
    snprintf(path, sizeof path, "%s/images/%s", world->folder, name);
    bool ok = png_encode(&image, &bytes, &size, NULL) && write_bytes(path, bytes, size);
    memory_free(bytes);
    return ok;
}

static bool write_pictures(const World *world, int number)
{
    uint8_t photo[WORLD_PHOTO * WORLD_PHOTO * 3], map[WORLD_SIDE * WORLD_SIDE * 3];
    char    name[64];
    int     channels = number % 3 == 2 ? 1 : 3; // some photos are gray
    for (int i = 0; i < WORLD_PHOTO * WORLD_PHOTO * channels; i++)
        photo[i] = (uint8_t)(i < channels ? number : i * 7 + number);
    snprintf(name, sizeof name, "%d.png", number);
    bool ok = write_png(world, name, WORLD_PHOTO, channels, photo);
    for (int category = 0; ok && category < WORLD_CATEGORIES; category++)
        for (int plane = 0; ok && plane < world->cells[number][category].plane_count; plane++) {
            for (int i = 0; i < WORLD_SIDE * WORLD_SIDE; i++) {
                int label      = world->cells[number][category].planes[plane][i];
                map[3 * i]     = (uint8_t)(label & 255);
                map[3 * i + 1] = (uint8_t)(label >> 8);
                map[3 * i + 2] = 0;
            }
            snprintf(name, sizeof name, "sub/%d_%s_%d.png", number, world_categories[category],
                     plane);
            ok = write_png(world, name, WORLD_SIDE, 3, map);
        }
    return ok;
}

static size_t index_row(const World *world, int number, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "%d.png,%d,%d,train,%d,%d", number, WORLD_PHOTO,
                                   WORLD_PHOTO, WORLD_SIDE, WORLD_SIDE);
    for (int order = 0; order < WORLD_CATEGORIES; order++) {
        int              category = WORLD_CATEGORIES - 1 - order; // not the order of category.csv
        const WorldCell *cell     = &world->cells[number][category];
        used += (size_t)snprintf(text + used, room - used, ",");
        for (int i = 0; i < cell->whole_count; i++) // an empty item now and then
            used += (size_t)snprintf(text + used, room - used, i ? ";;%d" : "%d;", cell->whole[i]);
        for (int i = 0; i < cell->plane_count; i++)
            used += (size_t)snprintf(text + used, room - used, ";sub/%d_%s_%d.png", number,
                                     world_categories[category], i);
    }
    return used + (size_t)snprintf(text + used, room - used, "\n");
}

bool world_write_tables(const World *world)
{
    enum { ROOM = 1 << 16 };
    char  *text = memory_new(ROOM, 1, NULL);
    size_t used =
        (size_t)snprintf(text, ROOM, "image,ih,iw,split,sh,sw,texture,material,object,color\n");
    for (int image = 0; image < world->image_count; image++)
        used += index_row(world, world->number[image], text + used, ROOM - used);
    bool ok = write_text(world->folder, "index.csv", text);
    used    = (size_t)snprintf(text, ROOM, "name,first,last,count,frequency\r\n");
    for (int i = 0; i < WORLD_CATEGORIES; i++)
        used += (size_t)snprintf(text + used, ROOM - used, "%s,1,2,3,4\r\n", world_categories[i]);
    ok   = ok && write_text(world->folder, "category.csv", text);
    used = (size_t)snprintf(text, ROOM, "number,name,category,frequency,coverage,syns\n");
    for (int i = world->label_count - 1; i > 0; i--) // out of order, with a gap at 5
        if (i != 5)
            used += (size_t)snprintf(text + used, ROOM - used,
                                     "%d,\"name \"\"%d\"\", x\",,1,1e0,\n", i, i);
    ok = ok && write_text(world->folder, "label.csv", text);
    for (int category = 0; ok && category < WORLD_CATEGORIES; category++) {
        char name[64];
        used = (size_t)snprintf(text, ROOM, "code,number,name,frequency,coverage\n");
        for (int i = 1; i < world->label_count; i++)
            if (world->listed[category][i])
                used += (size_t)snprintf(text + used, ROOM - used, "1,%d,x,1,%.17g\n", i,
                                         world->coverage[category][i]);
        snprintf(name, sizeof name, "c_%s.csv", world_categories[category]);
        ok = write_text(world->folder, name, text);
    }
    memory_free(text);
    return ok;
}

bool world_write(World *world, const char *name)
{
    char sub[600];
    snprintf(world->folder, sizeof world->folder, "%s/%s", test_folder(), name);
    snprintf(sub, sizeof sub, "%s/images/sub", world->folder);
    bool ok = folder_create(sub, NULL) && world_write_tables(world);
    for (int image = 0; ok && image < world->image_count; image++)
        ok = write_pictures(world, image);
    return ok;
}

/* ---- the layer ------------------------------------------------------------------------------- */

static void layer_run(void *self, const real *pixels, int64_t count, real *maps)
{
    World *world = self;
    int    cells = world->height * world->width;
    world->runs++;
    for (int64_t image = 0; image < count; image++) {
        int number = (int)lround(255.0 * (double)pixels[image * 3 * WORLD_PHOTO * WORLD_PHOTO]);
        for (int unit = 0; unit < WORLD_UNITS; unit++)
            for (int i = 0; i < cells; i++)
                *maps++ = (real)world->maps[number][unit][i];
    }
}

ActivationSource world_layer(World *world, int64_t batch)
{
    return (ActivationSource){.units        = WORLD_UNITS,
                              .height       = world->height,
                              .width        = world->width,
                              .batch        = batch,
                              .image_height = WORLD_PHOTO,
                              .image_width  = WORLD_PHOTO,
                              .run          = layer_run,
                              .self         = world};
}

/* ---- opened ---------------------------------------------------------------------------------- */

bool setup_probe(Setup *setup, const char *mode, size_t plane_bytes)
{
    ProbeRequest request = {.without       = mode_named(&method_dissection, mode)->without_category,
                            .accepts_twice = true};
    return probe_open(&setup->probe, setup->world->folder, &request, NULL) &&
           planes_open(&setup->planes, &setup->probe, plane_bytes, NULL);
}

bool setup_open(Setup *setup, uint64_t seed, int images, int height, int width, const char *mode)
{
    *setup = (Setup){.world = world_draw(seed, images, height, width)};
    return world_write(setup->world, "world") && setup_probe(setup, mode, PLANE_CACHE_BYTES);
}

void setup_close(Setup *setup)
{
    planes_close(setup->planes);
    probe_close(&setup->probe);
    world_free(setup->world);
}

Inputs setup_inputs(const Setup *setup, int64_t batch)
{
    return (Inputs){.probe        = &setup->probe,
                    .label_planes = setup->planes,
                    .images       = probe_images(&setup->probe),
                    .layer        = world_layer(setup->world, batch)};
}

bool setup_run(const Setup *setup, const DissectRules *rules, int64_t batch, Dissection *out,
               Error *error)
{
    Inputs inputs = setup_inputs(setup, batch);
    return dissect_layer(out, rules, &inputs, &inputs.images, &(Pass){0}, error);
}

bool setup_explain(const Setup *setup, const char *mode, Explainer *explainer, Evidence **out)
{
    Inputs inputs = setup_inputs(setup, 8);
    return explainer_open(explainer, &method_dissection, mode_named(&method_dissection, mode),
                          &inputs, NULL, NULL) &&
           method_dissection.collect(explainer, &inputs.images, &(Pass){0}, out, NULL);
}

/* ---- the oracle ------------------------------------------------------------------------------ */

static bool is(const char *mode, const char *name)
{
    return strcmp(mode, name) == 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double oracle_threshold(const World *world, int unit)
{
    int     cells = world->height * world->width, n = world->image_count * cells;
    double *all = memory_new((size_t)n, sizeof *all, NULL);
    for (int image = 0; image < world->image_count; image++)
        for (int i = 0; i < cells; i++)
            all[image * cells + i] = (double)world->maps[world->number[image]][unit][i];
    qsort(all, (size_t)n, sizeof *all, by_value);
    double h = 994.0 * n / 999.0 + 0.5, value; // 1-based rank
    int    k = (int)floor(h);
    if (h <= 1)
        value = all[0];
    else if (h >= n)
        value = all[n - 1];
    else
        value = all[k - 1] + (h - k) * (all[k] - all[k - 1]);
    memory_free(all);
    return (double)(float)value;
}

// Weight of input i in output d along one axis.
static double oracle_weight(const char *mode, int in, int out, int d, int i)
{
    double step = (double)in / out, at;
    if (is(mode, "lite")) {
        double reach = step > 1 ? step : 1, sum = 0, own = 0;
        for (int j = 0; j < in; j++) {
            double w = fmax(0, 1 - fabs((j + 0.5 - (d + 0.5) * step) / reach));
            sum += w;
            own = j == i ? w : own;
        }
        return own / sum;
    }
    if (is(mode, "nd2017")) { // receptive fields (0, s, s), s = photo side / in
        int side = WORLD_PHOTO / in, r = WORLD_PHOTO / out;
        at = (double)(d - side / 2 / r) / (side / r);
    } else {
        at = (d + 0.5) * step - 0.5;
    }
    at = fmin(fmax(at, 0), in - 1);
    return fmax(0, 1 - fabs(at - i));
}

static double oracle_pixel(const World *world, const char *mode, const float *map, int y, int x)
{
    double sum = 0;
    for (int i = 0; i < world->height; i++) {
        double across = 0, down = oracle_weight(mode, world->height, WORLD_SIDE, y, i);
        for (int j = 0; j < world->width; j++)
            across += oracle_weight(mode, world->width, WORLD_SIDE, x, j) *
                      (double)map[i * world->width + j];
        sum += down * (is(mode, "lite") ? (double)(float)across : across);
    }
    return (double)(float)sum;
}

static void oracle_primary(const World *world, Truth *out)
{
    for (int label = 0; label < WORLD_LABELS; label++) {
        double largest      = 0;
        out->primary[label] = out->category_count - 1;
        for (int i = 0; i < out->category_count && label > 0; i++) {
            double coverage = world->listed[out->category[i]][label]
                                  ? world->coverage[out->category[i]][label]
                                  : 0;
            if (coverage > 0 && coverage >= largest) {
                largest             = coverage;
                out->primary[label] = i;
            }
        }
    }
}

static void oracle_image(const World *world, const char *mode, int number, Truth *out)
{
    const WorldCell *cells = world->cells[number];
    bool             leaks = is(mode, "lite"), in_image[WORLD_CATEGORIES] = {false};
    for (int unit = -1; unit < WORLD_UNITS; unit++) { // -1: the whole picture
        bool     present[WORLD_CATEGORIES] = {false};
        uint64_t area                      = 0;
        for (int pixel = 0; pixel < WORLD_SIDE * WORLD_SIDE; pixel++) {
            if (unit >= 0 &&
                !(oracle_pixel(world, mode, world->maps[number][unit], pixel / WORLD_SIDE,
                               pixel % WORLD_SIDE) > out->threshold[unit]))
                continue;
            area++;
            for (int i = 0; i < out->category_count; i++) {
                const WorldCell *cell = &cells[out->category[i]];
                for (int j = 0; j < cell->plane_count + cell->whole_count; j++) {
                    bool whole = j >= cell->plane_count;
                    int label = whole ? cell->whole[j - cell->plane_count] : cell->planes[j][pixel];
                    if (label == 0 && !(whole && leaks))
                        continue;
                    present[out->primary[label]] = true;
                    (unit < 0 ? out->truth : out->both[unit])[label]++;
                }
            }
        }
        if (unit < 0)
            memcpy(in_image, present, sizeof present);
        for (int i = 0; i < out->category_count && unit >= 0; i++)
            if ((is(mode, "nd2017") ? in_image : present)[i])
                out->activity[unit][i] += area;
    }
}

static void oracle_concept(Truth *out, const char *mode, int unit)
{
    double epsilon           = is(mode, "nd2017") ? 1e-20 : 1e-10;
    out->concept_score[unit] = -1;
    for (int i = 0; i < out->category_count; i++) {
        double best  = 0;
        int    label = 0;
        for (int j = 0; j < WORLD_LABELS; j++) {
            if (out->primary[j] != i)
                continue;
            double both = (double)out->both[unit][j];
            double iou =
                both / ((double)out->activity[unit][i] + (double)out->truth[j] - both + epsilon);
            if (iou > best) {
                best  = iou;
                label = j;
            }
        }
        if (best >= out->concept_score[unit]) {
            out->concept_score[unit]    = best;
            out->concept_label[unit]    = label;
            out->concept_category[unit] = i;
        }
    }
}

void world_truth(const World *world, const char *mode, Truth *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < WORLD_CATEGORIES; i++)
        if (!is(mode, "lite") || strcmp(world_categories[i], "material") != 0)
            out->category[out->category_count++] = i;
    oracle_primary(world, out);
    for (int unit = 0; unit < WORLD_UNITS; unit++)
        out->threshold[unit] = oracle_threshold(world, unit);
    for (int image = 0; image < world->image_count; image++)
        oracle_image(world, mode, world->number[image], out);
    for (int unit = 0; unit < WORLD_UNITS; unit++)
        oracle_concept(out, mode, unit);
}
