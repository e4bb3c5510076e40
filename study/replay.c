/* study/replay.c - one perturbed image of a finished run, made once more step by step.
 *
 * It runs the study's own attack on all images that share an objective with the one that is wanted,
 * and keeps that one; so the perturbed image is the same, bit for bit. */
#include "unit_case.h"

#include <assert.h>
#include <string.h>

enum { CHANNELS = 3 };

struct Replay {
    const CleanRun  *clean;
    const Noise     *noise;  // one of the two
    const AttackJob *attack; // ...
    const int64_t   *units;  // [unit_count]
    int64_t          unit_count;
    UnitCase        *cases;                      // [unit_count], attacks only
    size_t           image_size;                 // of one image
    float           *photo, *perturbed, *stored; // [image_size]
    float           *map;                        // [height, width] of the layer
    real            *pixels;                     // [image_size]
    real            *maps;                       // [units of the layer, height, width]
};

bool replay_open(Replay **out, const CleanRun *clean, const Noise *noise, const AttackJob *attack,
                 const int64_t *units, int64_t unit_count, Error *error)
{
    const ActivationSource *layer  = &clean->explainer->inputs.layer;
    size_t                  cells  = (size_t)(layer->height * layer->width);
    Replay                 *replay = memory_new(1, sizeof *replay, error);
    if (!replay)
        return false;
    *replay = (Replay){
        .clean = clean, .noise = noise, .attack = attack, .units = units, .unit_count = unit_count};
    replay->image_size = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    replay->photo      = memory_new(replay->image_size, sizeof(float), error);
    replay->perturbed  = memory_new(replay->image_size, sizeof(float), error);
    replay->stored     = memory_new(replay->image_size, sizeof(float), error);
    replay->map        = memory_new(cells, sizeof(float), error);
    replay->pixels     = memory_new(replay->image_size, sizeof(real), error);
    replay->maps       = memory_new((size_t)layer->units * cells, sizeof(real), error);
    if (!replay->photo || !replay->perturbed || !replay->stored || !replay->map ||
        !replay->pixels || !replay->maps ||
        (attack && (!unit_cases_open(&replay->cases, attack, units, unit_count, error) ||
                    !unit_cases_aim(replay->cases, 0, unit_count, attack, error)))) {
        replay_close(replay);
        return false;
    }
    *out = replay;
    return true;
}

void replay_close(Replay *replay)
{
    if (!replay)
        return;
    unit_cases_close(replay->cases, replay->unit_count);
    memory_free(replay->photo);
    memory_free(replay->perturbed);
    memory_free(replay->stored);
    memory_free(replay->map);
    memory_free(replay->pixels);
    memory_free(replay->maps);
    memory_free(replay);
}

bool replay_poisons(const Replay *replay, int64_t index, int64_t image)
{
    if (!replay->attack)
        return noise_poisons(replay->noise, image);
    const Aim *aim = &replay->cases[index].aim;
    for (int64_t i = 0; i < aim->image_count; i++)
        if (aim->images[i] == image)
            return true;
    return false;
}

int64_t replay_image(const Replay *replay, int64_t index, const PeakImage *preferred, int count)
{
    int64_t images = replay->clean->explainer->inputs.probe->image_count;
    for (int i = 0; i < count; i++)
        if (replay_poisons(replay, index, preferred[i].image))
            return preferred[i].image;
    for (int64_t image = 0; image < images; image++)
        if (replay_poisons(replay, index, image))
            return image;
    return -1;
}

// The unit's map of an image.
static void look(Replay *replay, int64_t unit, const float *planes)
{
    const ActivationSource *layer = &replay->clean->explainer->inputs.layer;
    size_t                  cells = (size_t)(layer->height * layer->width);
    for (size_t i = 0; i < replay->image_size; i++)
        replay->pixels[i] = planes[i];
    layer->run(layer->self, replay->pixels, 1, replay->maps);
    for (size_t i = 0; i < cells; i++)
        replay->map[i] = (float)replay->maps[(size_t)unit * cells + i];
}

/* ---- an attack on the image's group, of which only the image is wanted ----------------------- */

typedef struct Wanted {
    Replay            *replay;
    int64_t            unit, image;
    const ReplayWatch *watch;
} Wanted;

static bool is_unwanted(void *self, int64_t image)
{
    const Wanted *wanted = self;
    return image != wanted->image;
}

static bool take_wanted(void *self, const int64_t *images, int64_t count, const real *clean,
                        const real *perturbed, Error *error)
{
    const Wanted *wanted = self;
    Replay       *replay = wanted->replay;
    (void)clean;
    (void)error;
    for (int64_t row = 0; row < count; row++)
        for (size_t i = 0; images[row] == wanted->image && i < replay->image_size; i++)
            replay->perturbed[i] = (float)perturbed[(size_t)row * replay->image_size + i];
    return true;
}

static bool watch_wanted(void *self, int step, double loss, const float *planes, Error *error)
{
    const Wanted *wanted = self;
    look(wanted->replay, wanted->unit, planes);
    return wanted->watch->state(wanted->watch->self, step, loss, planes, wanted->replay->map,
                                error);
}

static bool run_attack(Replay *replay, int64_t index, int64_t image, double eps,
                       const ReplayWatch *watch, Error *error)
{
    const AttackJob *job       = replay->attack;
    const UnitCase  *unit_case = &replay->cases[index];
    const Aim       *aim       = &unit_case->aim;
    Wanted           wanted    = {replay, unit_case->record->unit, image, watch};
    PerturbedSink    sink      = {is_unwanted, take_wanted, &wanted};
    StateWatch       states    = {image, watch_wanted, &wanted};
    PgdRule          rule      = {job->variant, (real)eps, job->steps};
    CaseAttack       attack    = {0};
    int64_t          first     = 0;
    assert(replay_poisons(replay, index, image));
    while (aim->images[first] / ATTACK_GROUP != image / ATTACK_GROUP)
        first++;
    int64_t length = group_length(aim->images + first, aim->image_count - first);
    bool    done   = case_attack_open(&attack, unit_case, job, error) &&
                unit_attack_run(attack.attack, &rule, aim->images + first, length, &sink,
                                watch ? &states : NULL, error);
    case_attack_close(&attack);
    return done;
}

/* ---- either ---------------------------------------------------------------------------------- */

bool replay_run(Replay *replay, int64_t index, int64_t image, const ChangeRow *setting,
                const ReplayWatch *watch, ReplayResult *out, Error *error)
{
    const Inputs           *inputs = &replay->clean->explainer->inputs;
    const ActivationSource *layer  = &inputs->layer;
    size_t                  bytes  = replay->image_size * sizeof(float);
    if (!inputs->images.load(inputs->images.self, image, replay->photo, error))
        return false;
    memcpy(replay->perturbed, replay->photo, bytes);
    if (replay->attack && setting->strength > 0) {
        if (!run_attack(replay, index, image, setting->strength, watch, error))
            return false;
    } else if (setting->strength > 0) {
        Noise noise    = *replay->noise;
        noise.strength = setting->strength;
        noise_add(&noise, image, layer->image_height * layer->image_width, replay->perturbed);
    }
    memcpy(replay->stored, replay->perturbed, bytes);
    if (!store_image(setting->store, layer->image_height, layer->image_width, replay->stored, NULL,
                     error))
        return false;
    look(replay, replay->units[index], replay->stored);
    *out = (ReplayResult){replay->photo, replay->perturbed, replay->stored, replay->map};
    return true;
}
