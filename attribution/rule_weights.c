/* attribution/rule_weights.c - see rules.h. */
#include "walk.h"

typedef struct Derived {
    const real *source;
    WeightPart  part;
    real       *data; // owned
} Derived;

struct RuleWeights {
    Derived *list;
    int      count, room;
};

bool rule_weights_open(RuleWeights **out, Error *error)
{
    RuleWeights *weights = memory_new(1, sizeof *weights, error);
    if (!weights)
        return false;
    *out = weights;
    return true;
}

void rule_weights_close(RuleWeights *weights)
{
    for (int i = 0; weights && i < weights->count; i++)
        memory_free(weights->list[i].data);
    if (weights)
        memory_free(weights->list);
    memory_free(weights);
}

static real part_of(WeightPart part, real w)
{
    switch (part) {
    case WEIGHT_POSITIVE:
        return w > 0 ? w : 0;
    case WEIGHT_NEGATIVE:
        return w < 0 ? w : 0;
    case WEIGHT_GAMMA:
        return w > 0 ? w + RULE_GAMMA_SHARE * w : w;
    case WEIGHT_ONE:
        return 1;
    default:
        return w;
    }
}

// Room for one more.
static bool make_room(RuleWeights *weights, Error *error)
{
    if (weights->count < weights->room)
        return true;
    int      room = weights->room ? 2 * weights->room : 32;
    Derived *more = memory_grow(weights->list, (size_t)weights->count, (size_t)room,
                                sizeof *weights->list, error);
    if (!more)
        return false;
    weights->list = more;
    weights->room = room;
    return true;
}

const real *rule_weights_part(RuleWeights *weights, const real *source, Shape shape,
                              WeightPart part, Error *error)
{
    for (int i = 0; i < weights->count; i++)
        if (weights->list[i].source == source && weights->list[i].part == part)
            return weights->list[i].data;
    size_t count = (size_t)shape_elements(shape);
    real  *data  = make_room(weights, error) ? memory_new(count, sizeof *data, error) : NULL;
    if (!data)
        return NULL;
    for (size_t i = 0; i < count; i++)
        data[i] = part_of(part, source[i]);
    weights->list[weights->count++] = (Derived){source, part, data};
    return data;
}

const real *rule_weights_times(RuleWeights *weights, const real *source, const real *pattern,
                               Shape shape, Error *error)
{
    const real *known = NULL;
    for (int i = 0; i < weights->count && !known; i++)
        if (weights->list[i].source == source && weights->list[i].part == WEIGHT_TIMES_PATTERN)
            known = weights->list[i].data;
    if (known)
        return known;
    size_t count = (size_t)shape_elements(shape);
    real  *data  = make_room(weights, error) ? memory_new(count, sizeof *data, error) : NULL;
    if (!data)
        return NULL;
    for (size_t i = 0; i < count; i++)
        data[i] = source[i] * pattern[i];
    weights->list[weights->count++] = (Derived){source, WEIGHT_TIMES_PATTERN, data};
    return data;
}

real *rule_weights_own(RuleWeights *weights, size_t count, Error *error)
{
    real *data = make_room(weights, error) ? memory_new(count, sizeof *data, error) : NULL;
    if (data)
        weights->list[weights->count++] = (Derived){NULL, WEIGHT_PLAIN, data};
    return data;
}
