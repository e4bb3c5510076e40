/* probe/twice.c - images that stand in two rows of index.csv. */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

typedef struct Row {
    const char *path;
    int64_t     image;
} Row;

static int by_path(const void *a, const void *b)
{
    const Row *first = a, *second = b;
    int        order = strcmp(first->path, second->path);
    return order ? order : (first->image > second->image) - (first->image < second->image);
}

bool probe_find_twice(const ProbeSet *probe,
                      void (*found)(void *self, int64_t first, int64_t again), void *self,
                      Error *error)
{
    Row *rows = memory_new((size_t)probe->image_count, sizeof *rows, error);
    for (int64_t i = 0; rows && i < probe->image_count; i++)
        rows[i] = (Row){probe->text + probe->images[i].path, i};
    if (rows)
        qsort(rows, (size_t)probe->image_count, sizeof *rows, by_path);
    int64_t first = 0;
    for (int64_t i = 1; rows && i < probe->image_count; i++)
        if (strcmp(rows[i].path, rows[first].path) == 0)
            found(self, rows[first].image, rows[i].image);
        else
            first = i;
    memory_free(rows);
    return rows != NULL;
}
