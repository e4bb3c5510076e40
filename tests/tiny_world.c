/* tests/tiny_world.c - see tiny_world.h. */
#include "tiny_world.h"
#include "../base/file.h"
#include "../image/image.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

/* ---- the probing set ------------------------------------------------------------------------- */

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, NULL) && file_publish(path, text, strlen(text), NULL);
}

static bool write_png(const char *folder, const char *name, int side, uint8_t *pixels)
{
    char     path[LIMIT_PATH];
    Image    image = {.width = side, .height = side, .channels = 3, .pixels = pixels};
    uint8_t *file  = NULL;
    size_t   size  = 0;
    bool     done = path_join(path, folder, name, NULL) && png_encode(&image, &file, &size, NULL) &&
                file_publish(path, file, size, NULL);
    memory_free(file);
    return done;
}

typedef struct Scene {
    int left, top; // of the object, in cells of the label map
    int thing;     // its label: 3 or 4
    int texture;   // 5, 6, or 0
    int shift;     // which half is red
} Scene;

static Scene scene_of(int image, Random *random)
{
    *random = random_stream((uint64_t)image, "tiny world");
    return (Scene){.left    = 1 + (int)random_below(random, 3),
                   .top     = (int)random_below(random, 5),
                   .thing   = image % 3 == 2 ? 4 : 3,
                   .texture = image % 5 == 0   ? 5
                              : image % 5 == 1 ? 6
                                               : 0,
                   .shift   = image % 2};
}

static bool in_object(const Scene *scene, int x, int y)
{
    return x >= scene->left && x < scene->left + 4 && y >= scene->top && y < scene->top + 3;
}

// Red and blue halves, a bright box or a dark ball, dots or stripes, and some noise.
static void paint(int image, float *planes)
{
    enum { PLANE = WORLD_SIDE * WORLD_SIDE };
    Random random;
    Scene  scene = scene_of(image, &random);
    for (int i = 0; i < PLANE; i++) {
        int x = i % WORLD_SIDE, y = i / WORLD_SIDE, red = (x / 8 + scene.shift) % 2;
        int object   = in_object(&scene, x / 2, y / 2) ? (scene.thing == 3 ? 90 : -50) : 0;
        int texture  = scene.texture == 5   ? ((x + y) % 3 == 0) * 40
                       : scene.texture == 6 ? y % 2 * 40
                                            : 0;
        int level[3] = {60 + red * 80 + object / 2, 70 + object, 140 - red * 80 + object / 2};
        for (int c = 0; c < 3; c++) {
            int byte              = level[c] + texture + (int)random_below(&random, 12);
            planes[c * PLANE + i] = (float)byte / 255;
        }
    }
}

static bool load_photo(void *self, int64_t image, float *planes, Error *error)
{
    const World *world = self;
    (void)error;
    memcpy(planes, world->photos[image], sizeof world->photos[image]);
    return true;
}

// Writes the label map of one colour shift or one object; scenes share them.
static bool write_map(const char *folder, const char *name, const Scene *scene, bool is_color)
{
    uint8_t pixels[WORLD_MAP * WORLD_MAP * 3] = {0};
    char    path[LIMIT_PATH];
    if (!path_join(path, folder, name, NULL) || file_exists(path))
        return file_exists(path);
    for (int i = 0; i < WORLD_MAP * WORLD_MAP; i++) {
        int x = i % WORLD_MAP, y = i / WORLD_MAP;
        if (is_color)
            pixels[i * 3] = (x / 4 + scene->shift) % 2 ? 1 : 2;
        else if (in_object(scene, x, y))
            pixels[i * 3] = (uint8_t)scene->thing;
    }
    return write_png(folder, name, WORLD_MAP, pixels);
}

static bool write_image(const char *folder, int image, Writer *index)
{
    Random random;
    Scene  scene = scene_of(image, &random);
    char   color[64], object[64], texture[4] = "";
    snprintf(color, sizeof color, "color%d.png", scene.shift);
    snprintf(object, sizeof object, "object%d_%d_%d.png", scene.thing, scene.left, scene.top);
    if (scene.texture)
        snprintf(texture, sizeof texture, "%d", scene.texture);
    writer_text(index, "%d.png,train,%d,%d,%d,%d,%s,%s,%s\n", image, WORLD_SIDE, WORLD_SIDE,
                WORLD_MAP, WORLD_MAP, color, object, texture);
    return write_map(folder, color, &scene, true) && write_map(folder, object, &scene, false);
}

static bool write_set(const char *folder)
{
    char    images[LIMIT_PATH], path[LIMIT_PATH];
    Writer *index = NULL;
    if (!path_join(images, folder, "images", NULL) || !folder_create(images, NULL) ||
        !path_join(path, folder, "index.csv", NULL) || !writer_open(&index, path, NULL))
        return false;
    writer_text(index, "image,split,ih,iw,sh,sw,color,object,texture\n");
    for (int image = 0; image < WORLD_IMAGES; image++) {
        if (!write_image(images, image, index)) {
            writer_discard(index);
            return false;
        }
    }
    return writer_publish(index, NULL) &&
           write_text(folder, "label.csv",
                      "number,name,category,frequency,coverage,syns\n"
                      "1,red-c,color(70),70,35,\n2,blue-c,color(70),70,35,\n"
                      "3,box,object(47),47,9,\n4,ball,object(23),23,4,\n"
                      "5,\"dotted, or \"\"spotted\"\"\",texture(14),14,14,\n"
                      "6,striped,texture(14),14,14,\n") &&
           write_text(folder, "category.csv",
                      "name,first,last,count,frequency\n"
                      "color,1,2,2,140\nobject,3,4,2,70\ntexture,5,6,2,28\n") &&
           write_text(folder, "c_color.csv",
                      "code,number,name,frequency,coverage\n1,1,red-c,70,35\n2,2,blue-c,70,35\n") &&
           write_text(folder, "c_object.csv",
                      "code,number,name,frequency,coverage\n1,3,box,47,9\n2,4,ball,23,4\n") &&
           write_text(folder, "c_texture.csv",
                      "code,number,name,frequency,coverage\n"
                      "1,5,\"dotted, or \"\"spotted\"\"\",14,14\n2,6,striped,14,14\n");
}

/* ---- the network ----------------------------------------------------------------------------- */

// Convolution, ReLU, max-pool, convolution of stride 2 with bias: [n, 3, 16, 16] -> [n, 6, 4, 4].
static Network build_layer(World *world, Graph *graph, Shape pixels, real scale)
{
    Network network = {.pixels = op_input(graph, pixels, "pixels")};
    NodeId  w1      = op_parameter(graph, shape_4d(WORLD_HIDDEN, 3, 3, 3), world->first);
    NodeId  w2      = op_parameter(graph, shape_4d(WORLD_UNITS, WORLD_HIDDEN, 3, 3), world->second);
    NodeId  bias    = op_parameter(graph, shape_1d(WORLD_UNITS), world->bias);
    NodeId  x       = op_scale(graph, op_offset(graph, network.pixels, (real)-0.4), scale);
    x               = op_maxpool(graph, op_relu(graph, op_conv2d(graph, x, w1, 1, 1)), 2, 2, 0);
    network.layer   = op_bias(graph, op_conv2d(graph, x, w2, 2, 1), bias);
    return network;
}

static bool build_unit(void *self, Graph *graph, Shape pixels, int64_t unit, Network *out,
                       Error *error)
{
    *out       = build_layer(self, graph, pixels, 1);
    out->layer = op_channel(graph, out->layer, unit);
    return graph_check(graph, error);
}

static void run_layer(void *self, const real *pixels, int64_t count, real *maps)
{
    WorldLayer *layer = self;
    size_t      size  = WORLD_UNITS * WORLD_CELLS * WORLD_CELLS;
    real       *input = plan_input(layer->plan, layer->network.pixels);
    memcpy(input, pixels, (size_t)count * WORLD_SIZE * sizeof *input);
    plan_run(layer->plan);
    memcpy(maps, plan_output(layer->plan, layer->network.layer),
           (size_t)count * size * sizeof *maps);
    layer->runs += count;
}

bool world_layer_open(World *world, WorldLayer *layer, int64_t batch, real scale,
                      ActivationSource *source)
{
    *layer = (WorldLayer){.batch = batch};
    if (!graph_create(&layer->graph, NULL))
        return false;
    layer->network =
        build_layer(world, layer->graph, shape_4d(batch, 3, WORLD_SIDE, WORLD_SIDE), scale);
    *source = (ActivationSource){.units        = WORLD_UNITS,
                                 .height       = WORLD_CELLS,
                                 .width        = WORLD_CELLS,
                                 .batch        = batch,
                                 .image_height = WORLD_SIDE,
                                 .image_width  = WORLD_SIDE,
                                 .run          = run_layer,
                                 .self         = layer};
    return plan_create(&layer->plan, layer->graph, &layer->network.layer, 1, NULL, NULL);
}

void world_layer_close(WorldLayer *layer)
{
    plan_destroy(layer->plan);
    graph_destroy(layer->graph);
    *layer = (WorldLayer){0};
}

static void draw(const char *purpose, real *values, int count)
{
    Random random = random_stream(7, purpose);
    for (int i = 0; i < count; i++)
        values[i] = 2 * (real)random_unit(random_word(&random)) - 1;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool explain_clean(World *world)
{
    const Explainer *explainer = &world->explainer;
    const Method    *method    = explainer->method;
    const char      *folder    = world->probe.folder;
    Evidence        *evidence  = NULL;
    bool             done =
        method->collect(explainer, &explainer->inputs.images, &world->pass, &evidence, NULL) &&
        method->write(explainer, evidence, folder, NULL) &&
        units_write(explainer, evidence, "layer", folder, NULL) &&
        record_read(&world->record, method, folder, explainer->labels, NULL);
    method->release(evidence);
    return done;
}

static bool open_inputs(World *out, int64_t batch)
{
    draw("first", out->first, WORLD_HIDDEN * 27);
    draw("second", out->second, (WORLD_UNITS - 1) * WORLD_HIDDEN * 9); // the last unit stays zero
    draw("bias", out->bias, WORLD_UNITS);
    for (int image = 0; image < WORLD_IMAGES; image++)
        paint(image, out->photos[image]);
    if (!write_set(test_folder()) || !probe_open(&out->probe, test_folder(), NULL, NULL) ||
        !planes_open(&out->planes, &out->probe, PLANE_CACHE_BYTES, NULL) ||
        !world_layer_open(out, &out->layer, batch, 1, &out->inputs.layer))
        return false;
    out->inputs.probe        = &out->probe;
    out->inputs.label_planes = out->planes;
    out->inputs.images       = (ImageSource){load_photo, out};
    out->builder             = (UnitBuilder){.build = build_unit, .self = out};
    return true;
}

static bool explain(World *out, const Method *method, const char *const *values)
{
    Explainer *explainer = &out->explainer;
    if (!explainer_open(explainer, method, &out->mode, &out->inputs, values, NULL) ||
        !explain_clean(out) ||
        (method->baseline && !method->baseline(explainer, out->probe.folder, NULL)))
        return false;
    out->layer.runs = 0;
    out->clean      = (CleanRun){explainer, &out->record, &out->pass};
    return true;
}

bool world_open(World *out, const char *mode, int64_t batch)
{
    *out = (World){.rules = *dissect_rules(mode), .mode = *mode_named(&method_dissection, mode)};
    out->mode.rules = &out->rules;
    return dissect_set_alpha(&out->rules, 0.1, NULL) && open_inputs(out, batch) &&
           explain(out, &method_dissection, NULL);
}

bool world_open_by(World *out, const Method *method, const char *const *values, int64_t batch)
{
    *out = (World){.mode = method->modes[0]};
    return open_inputs(out, batch) && explain(out, method, values);
}

void world_close(World *world)
{
    run_record_close(&world->record);
    explainer_close(&world->explainer);
    world_layer_close(&world->layer);
    planes_close(world->planes);
    probe_close(&world->probe);
    *world = (World){0};
}

const StoreArm      world_arms[STORE_ARMS]   = {STORE_FLOAT, STORE_PNG8, STORE_JPEG75};
const int64_t       world_units[WORLD_UNITS] = {0, 1, 2, 3, 4, 5};
static const double two_eps[2]               = {4.0 / 255, 0.06};

AttackJob world_job(const World *world)
{
    return (AttackJob){.clean      = world->clean,
                       .builder    = world->builder,
                       .units      = world_units,
                       .unit_count = WORLD_UNITS,
                       .eps        = two_eps,
                       .eps_count  = 2,
                       .steps      = 4,
                       .arms       = world_arms,
                       .arm_count  = STORE_ARMS,
                       .seed       = test_seed()};
}
