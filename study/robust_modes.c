/* study/robust_modes.c - what the published code of the study of robustness does differently; said
 * here and nowhere else. */
#include "robustness.h"

#include <string.h>

static const RobustMode modes[] = {
    {.name              = "aligned23",
     .maps              = "aligned23",
     .group             = 100,
     .clamps_to_group   = true,
     .ranges_by_group   = true,
     .losses_by_group   = true,
     .pcc_is_biased     = true,
     .forgets_clean     = true,
     .cifar_deviation   = true,
     .inverse_deviation = 5,
     .logs_hessian      = true},
    {.name = "clean", .maps = "clean", .group = 100},
};

const RobustMode *robust_mode_at(int index)
{
    return index >= 0 && index < (int)(sizeof modes / sizeof *modes) ? &modes[index] : NULL;
}

const RobustMode *robust_mode_named(const char *name)
{
    for (int i = 0; robust_mode_at(i); i++)
        if (strcmp(robust_mode_at(i)->name, name) == 0)
            return robust_mode_at(i);
    return NULL;
}
