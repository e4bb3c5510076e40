/* training/modes.c - what the published code of trainings does differently; said here and nowhere
 * else. */
#include "objective.h"

static const ObjectiveMode modes[] = {
    {.name = "clean"},
    {.name              = "aligned23",
     .cosine_by_product = true,
     .adds_to_length    = true,
     .deviation_by_size = true},
};
enum { MODES = sizeof modes / sizeof *modes };

const ObjectiveMode *objective_mode(int index)
{
    return index >= 0 && index < MODES ? &modes[index] : NULL;
}
