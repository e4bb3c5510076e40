/* tests/check_map_parity.c - attacks on maps against PyTorch's, with published weights.
 *
 * $NEMESIS_MAP_PARITY is a folder that tests/parity/map_attacks.py wrote; without it there is
 * nothing to compare with. A case is one pair of images and one method.
 *
 * In double the gradients and the map term after all steps are PyTorch's in float64, which is the
 * proof that both do the same. In float an attack goes where rounding sends it: a difference grows by
 * half in each step (tests/parity/README.md). So there, by the median of all cases:
 * - the gradient of the loss, at the photo and at PyTorch's attacked image, is at most 1.5 times as
 *   far from float64 as PyTorch's in float32;
 * - the map term after all steps is within 1e-3 of float64's, or at most 1.5 times as far from it as
 *   PyTorch's in float32. */
#include "test.h"

#include "../attack/map_attack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 64, NAME_SIZE = 64 };
static const double worst_ratio = 1.5, closest = 1e-3, mistake = 0.2, same = 1e-6;

// A line of cases.txt.
typedef struct Reference {
    char   name[NAME_SIZE], network[NAME_SIZE], method[NAME_SIZE];
    int    side, label, points, steps;
    double rate, beta_first, beta_last;
    double start_error, end_error; // of PyTorch's gradients in float32, relative L2
    double before, after, single;  // the map term, and after all steps in float64 and float32
} Reference;

static const char *folder(void)
{
    return getenv("NEMESIS_MAP_PARITY");
}

static double by_torch[2 * MOST_CASES]; // our error by PyTorch's, of every gradient
static double distances[MOST_CASES];    // of the map term from float64's, by what is allowed
static int    ratio_count, distance_count;

/* ---- files ----------------------------------------------------------------------------------- */

static bool read_reference(FILE *file, Reference *out)
{
    return fscanf(file, "%63s %63s %63s %d %d %d %d %lf %lf %lf %lf %lf %lf %lf %lf", out->name,
                  out->network, out->method, &out->side, &out->label, &out->points, &out->steps,
                  &out->rate, &out->beta_first, &out->beta_last, &out->start_error, &out->end_error,
                  &out->before, &out->after, &out->single) == 15;
}

// Doubles, [count]; NULL if the file is not that long.
static double *read_part(const Reference *reference, const char *part, int64_t count)
{
    char    path[LIMIT_PATH];
    double *values = memory_new((size_t)count, sizeof *values, NULL);
    snprintf(path, sizeof path, "%s/%s-%s.f64", folder(), reference->name, part);
    FILE *file = fopen(path, "rb");
    bool  whole =
        values && file && fread(values, sizeof *values, (size_t)count, file) == (size_t)count;
    if (file)
        fclose(file);
    if (CHECK(whole))
        return values;
    printf("  %s\n", path);
    memory_free(values);
    return NULL;
}

static bool open_blob(const char *network, const char *ending, WeightBlob **out)
{
    char  path[LIMIT_PATH];
    Error error = {0};
    snprintf(path, sizeof path, "%s/%s%s.nw", folder(), network, ending);
    return CHECK(blob_open(path, out, &error));
}

/* ---- an attack ------------------------------------------------------------------------------- */

typedef struct Duel {
    const Reference *reference;
    WeightBlob      *blob, *patterns;
    Graph           *graph;
    Map              map;
    MapMode          mode;
    NodeId           beta;
    MapAttack        attack;
    real             low[3], high[3];
} Duel;

static void duel_close(Duel *duel)
{
    map_attack_close(&duel->attack);
    map_close(&duel->map);
    graph_destroy(duel->graph);
    blob_close(duel->patterns);
    blob_close(duel->blob);
}

// What the network says of the image itself: the map has it, unless it is of points.
static NodeId logits_of(Duel *duel)
{
    NetworkRequest request = {.batch     = 1,
                              .unit      = -1,
                              .softplus  = &duel->beta,
                              .raw_input = true,
                              .pixels    = &duel->map.image,
                              .height    = duel->reference->side,
                              .width     = duel->reference->side};
    Network        network;
    if (duel->map.share == NODE_NONE)
        return duel->map.layer;
    return CHECK(network_build(duel->graph, duel->blob, &request, &network, NULL)) ? network.layer
                                                                                   : NODE_NONE;
}

static bool build_map(Duel *duel)
{
    const Reference *reference = duel->reference;
    bool             smooth    = reference->beta_first > 0;
    Error            error     = {0};
    duel->mode                 = *map_mode_named("manipulated19");
    duel->mode.steps           = reference->points;
    MapRequest request         = {.method   = map_method_named(reference->method),
                                  .mode     = &duel->mode,
                                  .beta     = smooth ? &duel->beta : NULL,
                                  .patterns = duel->patterns,
                                  .height   = duel->reference->side,
                                  .width    = duel->reference->side};
    map_slices_request(&request, 0);
    if (!CHECK(graph_create(&duel->graph, NULL)))
        return false;
    duel->beta = smooth ? op_scalar_input(duel->graph, 1, "beta") : NODE_NONE;
    return CHECK(map_build(duel->graph, duel->blob, &request, &duel->map, &error)) ||
           test_check_text(error.message, "", __FILE__, __LINE__);
}

static bool duel_open(Duel *duel, const Reference *reference)
{
    *duel              = (Duel){.reference = reference};
    MapAttackRule rule = {.steps         = reference->steps,
                          .rate          = reference->rate,
                          .map_factor    = 1e11,
                          .output_factor = 1e6,
                          .beta_first    = reference->beta_first,
                          .beta_last     = reference->beta_last};
    if (!open_blob(reference->network, "", &duel->blob) ||
        (strcmp(reference->method, "pattern") == 0 &&
         !open_blob(reference->network, "-patterns", &duel->patterns)) ||
        !build_map(duel) || !CHECK(pixel_bounds(duel->blob, duel->low, duel->high, NULL)))
        return false;
    MapAttackNodes nodes = {.graph  = duel->graph,
                            .map    = &duel->map,
                            .logits = logits_of(duel),
                            .beta   = duel->beta,
                            .mode   = &duel->mode,
                            .low    = duel->low,
                            .high   = duel->high};
    return CHECK(map_attack_open(&duel->attack, &nodes, &rule, &map_plan_options, NULL));
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void take_image(MapAttack *attack, const double *image)
{
    for (int64_t i = 0; i < attack->state.values; i++)
        attack->state.image[i] = (real)image[i];
}

// How far our gradient at an image is from float64's.
static double gradient_error(Duel *duel, int64_t step, const double *image, const double *wanted)
{
    MapAttack *attack = &duel->attack;
    double     far = 0, size = 0;
    take_image(attack, image);
    attack->state.step = step;
    map_attack_look(attack, 0);
    for (int64_t i = 0; i < attack->state.values; i++) {
        far += pow((double)map_attack_gradient(attack)[i] - wanted[i], 2);
        size += pow(wanted[i], 2);
    }
    return sqrt(far / size);
}

static double attack_distance(Duel *duel)
{
    MapAttackLoss loss = {0};
    for (int i = 0; i < duel->reference->steps; i++)
        CHECK(map_attack_step(&duel->attack, 0, &loss, NULL));
    return map_attack_look(&duel->attack, 0).map_term;
}

enum { IMAGE, WANTED, START, ATTACKED, END, PARTS };

static void begin(Duel *duel, double *const part[PARTS])
{
    MapAttackState *state = &duel->attack.state;
    real           *image = memory_new((size_t)state->values, sizeof *image, NULL);
    float          *map   = memory_new((size_t)state->cells, sizeof *map, NULL);
    for (int64_t i = 0; CHECK(image) && i < state->values; i++)
        image[i] = (real)part[IMAGE][i];
    for (int64_t i = 0; CHECK(map) && i < state->cells; i++)
        map[i] = (float)part[WANTED][i];
    map_attack_begin(&duel->attack, image, map, duel->reference->label, 0);
    memory_free(image);
    memory_free(map);
}

static void compare_attacks(Duel *duel, double *const part[PARTS])
{
    const Reference *reference = duel->reference;
    begin(duel, part);
    double start = gradient_error(duel, 0, part[IMAGE], part[START]);
    double end   = gradient_error(duel, reference->steps, part[ATTACKED], part[END]);
    begin(duel, part);
    double after = attack_distance(duel), far = fabs(after / reference->after - 1),
           torch = fabs(reference->single / reference->after - 1);
    printf("  %-34s gradient %.1e (%.1e) and %.1e (%.1e), map term %.6g to %.6g, off by %.1e "
           "(%.1e)\n",
           reference->name, start, reference->start_error, end, reference->end_error,
           reference->before, after, far, torch);
    by_torch[ratio_count++]     = start / reference->start_error;
    by_torch[ratio_count++]     = end / reference->end_error;
    distances[distance_count++] = far / fmax(closest, worst_ratio * torch);
    if (sizeof(real) == sizeof(double))
        CHECK(start < same && end < same && far < closest);
    else
        CHECK(start < mistake && end < mistake && far < mistake);
}

static void compare(const Reference *reference)
{
    static const char *const names[PARTS] = {"image", "wanted", "start", "attacked", "end"};
    int64_t                  cells        = (int64_t)reference->side * reference->side;
    double                  *part[PARTS];
    Duel                     duel   = {0};
    bool                     is_all = true;
    for (int i = 0; i < PARTS; i++) {
        part[i] = read_part(reference, names[i], i == WANTED ? cells : 3 * cells);
        is_all  = is_all && part[i];
    }
    if (is_all && duel_open(&duel, reference))
        compare_attacks(&duel, part);
    duel_close(&duel);
    for (int i = 0; i < PARTS; i++)
        memory_free(part[i]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_median(const char *what, double *values, int count, double most)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    printf("  %s: median %.2f, quartiles %.2f and %.2f of %d\n", what, values[count / 2],
           values[count / 4], values[3 * count / 4], count);
    CHECK(values[count / 2] <= most);
}

static void attacks_on_maps_equal_pytorch(void)
{
    char      path[LIMIT_PATH];
    Reference reference;
    ratio_count = distance_count = 0;
    snprintf(path, sizeof path, "%s/cases.txt", folder());
    FILE *file = fopen(path, "r");
    REQUIRE(file);
    while (distance_count < MOST_CASES && read_reference(file, &reference))
        compare(&reference);
    fclose(file);
    REQUIRE(distance_count > 0);
    check_median("gradients, error by PyTorch's", by_torch, ratio_count, worst_ratio);
    check_median("map terms, by what is allowed", distances, distance_count, 1);
}

SUITE(map_parity)
{
    if (folder())
        RUN(attacks_on_maps_equal_pytorch);
}
