/* attack/rows.c - clean images into the rows of a batch, several at a time. */
#include "rows.h"
#include "../base/parallel.h"

#include <string.h>

typedef struct RowTask {
    RowLoader     *loader;
    const int64_t *images;
    real          *planes;
} RowTask;

bool row_loader_open(RowLoader *out, const ImageSource *source, int64_t rows, size_t image_size,
                     Error *error)
{
    RowLoader loader = {.source = source, .image_size = image_size};
    size_t    floats;
    if (!size_mul((size_t)parallel_threads(), image_size, &floats))
        return fail(error, ERROR_MEMORY, "images of %zu values do not fit into memory", image_size);
    loader.errors = memory_new((size_t)rows, sizeof *loader.errors, error);
    loader.loaded = memory_new(floats, sizeof *loader.loaded, error);
    if (!loader.errors || !loader.loaded) {
        row_loader_close(&loader);
        return false;
    }
    *out = loader;
    return true;
}

void row_loader_close(RowLoader *loader)
{
    memory_free(loader->errors);
    memory_free(loader->loaded);
    *loader = (RowLoader){0};
}

static void load_row(void *data, int64_t row, int thread)
{
    const RowTask     *task   = data;
    RowLoader         *loader = task->loader;
    const ImageSource *source = loader->source;
    float             *loaded = loader->loaded + (size_t)thread * loader->image_size;
    real              *planes = task->planes + (size_t)row * loader->image_size;
    if (!source->load(source->self, task->images[row], loaded, &loader->errors[row]))
        return;
    for (size_t i = 0; i < loader->image_size; i++)
        planes[i] = loaded[i];
}

bool row_loader_load(RowLoader *loader, const int64_t *images, int64_t count, real *planes,
                     Error *error)
{
    RowTask task = {loader, images, planes};
    memset(loader->errors, 0, (size_t)count * sizeof *loader->errors);
    parallel_for(count, load_row, &task);
    return rows_succeeded(loader->errors, count, error);
}

bool rows_succeeded(const Error *errors, int64_t count, Error *error)
{
    for (int64_t row = 0; row < count; row++) {
        if (errors[row].code != ERROR_NONE)
            return fail(error, errors[row].code, "%s", errors[row].message);
    }
    return true;
}
