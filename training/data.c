/* training/data.c - a set in memory, the order of an epoch, one image as it is seen in it, and the
 * inputs of a step. */
#include "trainer.h"

#include "../base/digest.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool training_set_new(TrainingSet *out, int64_t count, int64_t height, int64_t width,
                      int32_t classes, Error *error)
{
    TrainingSet set   = {.count = count, .height = height, .width = width, .classes = classes};
    size_t      plane = 0, bytes = 0;
    if (count < 1 || classes < 1 || height < 1 || width < 1 || height > LIMIT_IMAGE_SIDE ||
        width > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_DATA,
                    "a training set of %lld images of %lld x %lld in %d classes, "
                    "expected at least one of each",
                    (long long)count, (long long)height, (long long)width, (int)classes);
    if (!size_mul((size_t)(height * width), 3, &plane) || !size_mul(plane, (size_t)count, &bytes))
        return fail(error, ERROR_MEMORY, "%lld training images do not fit in memory",
                    (long long)count);
    set.pixels = memory_new(bytes, 1, error);
    set.labels = memory_new((size_t)count, sizeof *set.labels, error);
    if (!set.pixels || !set.labels) {
        training_set_free(&set);
        return false;
    }
    *out = set;
    return true;
}

uint64_t training_set_digest(const TrainingSet *set)
{
    size_t count = (size_t)set->count;
    if (!set->pixels)
        return 0;
    uint32_t pixels = digest_crc32(0, set->pixels, 3 * count * (size_t)(set->height * set->width));
    uint32_t labels =
        set->labels ? digest_crc32(pixels, set->labels, count * sizeof *set->labels) : 0;
    return (uint64_t)pixels << 32 | labels;
}

void training_set_free(TrainingSet *set)
{
    memory_free(set->pixels);
    memory_free(set->labels);
    captions_free(set->captions);
    unit_set_free(set->units);
    *set = (TrainingSet){0};
}

void training_order(uint64_t seed, int64_t epoch, int64_t count, int64_t *order)
{
    char purpose[64];
    snprintf(purpose, sizeof purpose, "training order, epoch %lld", (long long)epoch);
    Random random = random_stream(seed, purpose);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) { // Fisher and Yates
        int64_t other = random_below(&random, (uint32_t)i + 1), kept = order[i];
        order[i]     = order[other];
        order[other] = kept;
    }
}

/* ---- augmentation ---------------------------------------------------------------------------- */

// How an image of this epoch is changed.
typedef struct Change {
    bool    mirror;
    int64_t move_x, move_y;
    double  left, top, width, height; // of a random part, in pixels
} Change;

// Whole-numbered places, black outside.
static void move(const TrainingSet *set, const uint8_t *from, const Change *change, real *planes)
{
    for (int64_t row = 0; row < 3 * set->height; row++) {
        int64_t        y      = row % set->height + change->move_y;
        bool           inside = y >= 0 && y < set->height;
        const uint8_t *line =
            from + (row / set->height * set->height + (inside ? y : 0)) * set->width;
        for (int64_t column = 0; column < set->width; column++) {
            int64_t x        = (change->mirror ? set->width - 1 - column : column) + change->move_x;
            bool    is_there = inside && x >= 0 && x < set->width;
            planes[row * set->width + column] = is_there ? (real)line[x] / 255 : 0;
        }
    }
}

static int64_t clamped(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

// The pixel at a place between centres, as a mean of the four around it.
static real between(const TrainingSet *set, const uint8_t *plane, double y, double x)
{
    int64_t row = (int64_t)floor(y), column = (int64_t)floor(x);
    double  down = y - (double)row, right = x - (double)column, sum = 0;
    for (int i = 0; i < 4; i++) {
        int64_t at = clamped(row + i / 2, set->height - 1) * set->width +
                     clamped(column + i % 2, set->width - 1);
        sum += (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right) * plane[at];
    }
    return (real)(sum / 255);
}

static void crop(const TrainingSet *set, const uint8_t *from, const Change *change, int64_t side,
                 real *planes)
{
    for (int64_t i = 0; i < 3 * side * side; i++) {
        int64_t column = change->mirror ? side - 1 - i % side : i % side;
        double  y      = ((double)(i / side % side) + 0.5) / (double)side * change->height - 0.5;
        double  x      = ((double)column + 0.5) / (double)side * change->width - 0.5;
        planes[i]      = between(set, from + i / (side * side) * set->height * set->width,
                                 change->top + y, change->left + x);
    }
}

// Ten tries for a part that fits, else the largest square in the middle.
static void draw_part(const TrainingSet *set, Random *random, Change *change)
{
    double high = (double)set->height, wide = (double)set->width;
    for (int i = 0; i < 10; i++) {
        double area   = (0.08 + 0.92 * (double)random_unit(random_word(random))) * high * wide;
        double shape  = exp((2 * (double)random_unit(random_word(random)) - 1) * log(4.0 / 3));
        change->width = round(sqrt(area * shape)), change->height = round(sqrt(area / shape));
        if (change->width < 1 || change->height < 1 || change->width > wide ||
            change->height > high)
            continue;
        change->left = random_below(random, (uint32_t)(wide - change->width) + 1);
        change->top  = random_below(random, (uint32_t)(high - change->height) + 1);
        return;
    }
    change->width = change->height = fmin(high, wide);
    change->left                   = floor((wide - change->width) / 2);
    change->top                    = floor((high - change->height) / 2);
}

static Change change_of(const TrainingSet *set, int64_t index, const TrainSettings *s,
                        int64_t epoch)
{
    uint64_t    key    = random_key(s->seed, "training augmentation");
    RandomBlock block  = random_block(key, (uint64_t)epoch, (uint64_t)index);
    uint32_t    places = 2 * (uint32_t)s->shift + 1;
    Change      change = {.mirror = s->flip && (block.word[0] & 1),
                          .move_x = (int64_t)(block.word[1] % places) - s->shift,
                          .move_y = (int64_t)(block.word[2] % places) - s->shift};
    if (s->crop) {
        Random random = {.key  = random_key(s->seed, "training crop"),
                         .next = ((uint64_t)epoch << 40) + ((uint64_t)index << 8)};
        draw_part(set, &random, &change);
    }
    return change;
}

void training_image(const TrainingSet *set, int64_t index, const TrainSettings *settings,
                    int64_t epoch, real *planes)
{
    const uint8_t *from   = set->pixels + index * 3 * set->height * set->width;
    Change         change = {0};
    if (settings)
        change = change_of(set, index, settings, epoch);
    if (settings && settings->crop)
        crop(set, from, &change, settings->crop, planes);
    else
        move(set, from, &change, planes);
}

void training_noise(uint64_t seed, int64_t step, int64_t place, DrawnKind kind, int64_t count,
                    real *out)
{
    uint64_t key    = random_key(seed, "training noise");
    int64_t  blocks = (count + 3) / 4;
    for (int64_t i = 0; i < count; i++) {
        RandomBlock block = random_block(key, (uint64_t)step, (uint64_t)(place * blocks + i / 4));
        double      pair[2];
        if (kind == DRAWN_UNIFORM) {
            out[i] = (real)(2 * random_unit(block.word[i % 4]) - 1);
            continue;
        }
        random_gaussian(block.word[i % 4 / 2 * 2], block.word[i % 4 / 2 * 2 + 1], &pair[0],
                        &pair[1]);
        out[i] = (real)pair[i % 2];
    }
}

/* ---- the inputs of a step -------------------------------------------------------------------- */

typedef struct Filling {
    const Trainer *trainer;
    StepPlace      place;
    DrawnKind      kind;
    int64_t        size;
    real          *pixels, *noise;
} Filling;

static void fill_one(void *data, int64_t i, int thread)
{
    const Filling       *filling = data;
    const Trainer       *trainer = filling->trainer;
    const TrainSettings *s       = &trainer->settings;
    (void)thread;
    training_image(trainer->set, trainer->order[filling->place.first + i], s, filling->place.epoch,
                   filling->pixels + i * filling->size);
    if (filling->noise)
        training_noise(s->seed, trainer->done, i, filling->kind, filling->size,
                       filling->noise + i * filling->size);
}

// One-hot rows at the labels.
static void fill_labels(Trainer *trainer, StepGraph *step, StepPlace place)
{
    real *target = plan_input(step->plan, step->target);
    memset(target, 0, (size_t)(place.count * trainer->classes) * sizeof *target);
    for (int64_t i = 0; i < place.count; i++)
        target[i * trainer->classes + trainer->set->labels[trainer->order[place.first + i]]] = 1;
}

static void fill_images(Trainer *trainer, StepGraph *step, StepPlace place)
{
    const TrainingSet   *set     = trainer->set;
    const TrainSettings *s       = &trainer->settings;
    Filling              filling = {.trainer = trainer,
                                    .place   = place,
                                    .kind    = objective_noise(&s->objective),
                                    .size = 3 * (s->crop ? s->crop * s->crop : set->height * set->width),
                                    .pixels = plan_input(step->plan, step->network.pixels)};
    if (step->noise != NODE_NONE)
        filling.noise = plan_input(step->plan, step->noise);
    parallel_for(place.count, fill_one, &filling);
}

bool step_fill(Trainer *trainer, StepGraph *step, StepPlace place, Error *error)
{
    if (place.epoch != trainer->epoch)
        training_order(trainer->settings.seed, place.epoch, trainer->set->count, trainer->order);
    trainer->epoch = place.epoch;
    switch (objective_data(&trainer->settings.objective)) {
    case DATA_UNITS:
        return step_fill_units(trainer, step, place, error);
    case DATA_CAPTIONS:
        fill_images(trainer, step, place);
        return step_fill_captions(trainer, step, place, error);
    default:
        fill_images(trainer, step, place);
        fill_labels(trainer, step, place);
        return true;
    }
}
