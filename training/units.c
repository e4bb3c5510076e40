/* training/units.c - see units.h. */
#include "units.h"

bool unit_set_new(UnitSet **out, int64_t count, int64_t exemplars, int64_t features,
                  bool has_random, Error *error)
{
    size_t   rows = 0, numbers = 0;
    UnitSet *set = memory_new(1, sizeof *set, error);
    if (!set)
        return false;
    *set    = (UnitSet){.count = count, .exemplars = exemplars, .features = features};
    bool ok = (size_mul((size_t)count, (size_t)exemplars, &rows) &&
               size_mul(rows, (size_t)features, &numbers)) ||
              fail(error, ERROR_MEMORY, "%lld units do not fit in memory", (long long)count);
    ok = ok && (set->values = memory_new(numbers, sizeof *set->values, error)) &&
         (!has_random || (set->random = memory_new(numbers, sizeof *set->random, error))) &&
         (set->claims = memory_new((size_t)count, sizeof *set->claims, error));
    if (!ok) {
        unit_set_free(set);
        return false;
    }
    *out = set;
    return true;
}

void unit_set_free(UnitSet *set)
{
    if (!set)
        return;
    memory_free(set->values);
    memory_free(set->random);
    memory_free(set->claims);
    memory_free(set);
}
