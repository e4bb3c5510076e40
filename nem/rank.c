/* nem/rank.c - the units of a layer, the best explained first. */
#include "method.h"

#include <stdlib.h>

static int by_score(const void *a, const void *b)
{
    const RankedUnit *first = a, *second = b;
    if (first->found.score != second->found.score)
        return first->found.score < second->found.score ? 1 : -1;
    return first->unit < second->unit ? -1 : first->unit > second->unit;
}

RankedUnit *units_rank(const Explainer *explainer, const Evidence *evidence, Error *error)
{
    int64_t     count = explainer->inputs.layer.units;
    RankedUnit *units = memory_new((size_t)count, sizeof *units, error);
    if (!units)
        return NULL;
    for (int64_t unit = 0; unit < count; unit++)
        units[unit] = (RankedUnit){unit, explainer->method->explain(explainer, evidence, unit)};
    qsort(units, (size_t)count, sizeof *units, by_score);
    return units;
}
