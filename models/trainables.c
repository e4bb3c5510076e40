/* models/trainables.c - the list of what a training changes. */
#include "builder.h"

#include <string.h>

enum { FIRST_ROOM = 32 };

/* Room for one more after `count`, which doubles where it is a power of two from FIRST_ROOM on. */
static bool make_room(void **items, int count, size_t size, Error *error)
{
    bool is_full = count == 0 || (count >= FIRST_ROOM && (count & (count - 1)) == 0);
    if (!is_full)
        return true;
    size_t room = count == 0 ? FIRST_ROOM : 2 * (size_t)count;
    void  *more = memory_grow(*items, (size_t)count, room, size, error);
    if (!more)
        return false;
    *items = more;
    return true;
}

TrainableWeight *trainable_weight(const Trainables *list, const char *name)
{
    for (int i = 0; i < list->weight_count; i++)
        if (strcmp(list->weights[i].name, name) == 0)
            return &list->weights[i];
    return NULL;
}

TrainableWeight *trainables_add_weight(Trainables *list, Error *error)
{
    void *items = list->weights;
    if (!make_room(&items, list->weight_count, sizeof *list->weights, error))
        return NULL;
    list->weights = items;
    return &list->weights[list->weight_count++];
}

TrainableNorm *trainables_add_norm(Trainables *list, Error *error)
{
    void *items = list->norms;
    if (!make_room(&items, list->norm_count, sizeof *list->norms, error))
        return NULL;
    list->norms = items;
    return &list->norms[list->norm_count++];
}

void trainables_close(Trainables *list)
{
    memory_free(list->weights);
    memory_free(list->norms);
    *list = (Trainables){0};
}
