/* training/schedule.c - how many steps a training has, and where each of them is. */
#include "trainer.h"

#include <math.h>

int64_t trainer_steps_per_epoch(const Trainer *trainer)
{
    const TrainSettings *s     = &trainer->settings;
    int64_t              extra = s->drop_last ? 0 : s->batch - 1;
    return (trainer->set->count + extra) / s->batch;
}

int64_t trainer_steps(const Trainer *trainer)
{
    return trainer->settings.epochs * trainer_steps_per_epoch(trainer);
}

int64_t trainer_done(const Trainer *trainer)
{
    return trainer->done;
}

static double rate_of(const Trainer *trainer, int64_t epoch)
{
    const Schedule *schedule = &trainer->settings.schedule;
    double          rate     = trainer->settings.optimiser.rate;
    double          part     = (double)trainer->done / (double)trainer_steps(trainer);
    if (schedule->kind == SCHEDULE_LINEAR)
        return rate * (1 - part);
    if (schedule->kind == SCHEDULE_COSINE)
        return rate * 0.5 * (1 + cos(acos(-1.0) * part));
    for (int i = 0; i < schedule->count; i++)
        if (epoch >= schedule->milestones[i])
            rate /= 10;
    return rate;
}

StepPlace step_place(const Trainer *trainer)
{
    int64_t   batch = trainer->settings.batch, steps = trainer_steps_per_epoch(trainer);
    StepPlace place = {.epoch = trainer->done / steps, .first = trainer->done % steps * batch};
    int64_t   left  = trainer->set->count - place.first;
    place.count     = left < batch ? left : batch;
    place.rate      = rate_of(trainer, place.epoch);
    return place;
}
