/* probe/rows.c - see rows.h. */
#include "rows.h"
#include "../base/parallel.h"

typedef struct RowTask {
    RowLoader     *loader;
    const int64_t *images;
    real          *planes;
} RowTask;

static const bool REAL_IS_FLOAT = sizeof(real) == sizeof(float);

bool row_loader_open(RowLoader *out, const ImageSource *source, size_t image_size, Error *error)
{
    RowLoader loader = {.source = source, .image_size = image_size};
    size_t    floats = 0;
    if (!REAL_IS_FLOAT && !size_mul((size_t)parallel_threads(), image_size, &floats))
        return fail(error, ERROR_MEMORY, "images of %zu values do not fit into memory", image_size);
    loader.loaded = memory_new(floats, sizeof *loader.loaded, error);
    if (!loader.loaded || !loop_errors_open(&loader.errors, error)) {
        row_loader_close(&loader);
        return false;
    }
    *out = loader;
    return true;
}

void row_loader_close(RowLoader *loader)
{
    memory_free(loader->loaded);
    loop_errors_close(&loader->errors);
    *loader = (RowLoader){0};
}

static void load_row(void *data, int64_t row, int thread)
{
    const RowTask     *task   = data;
    RowLoader         *loader = task->loader;
    const ImageSource *source = loader->source;
    real              *planes = task->planes + (size_t)row * loader->image_size;
    float             *loaded = REAL_IS_FLOAT ? (float *)(void *)planes
                                              : loader->loaded + (size_t)thread * loader->image_size;
    Error              error  = {0};
    if (!source->load(source->self, task->images[row], loaded, &error))
        loop_errors_add(&loader->errors, row, thread, &error);
    for (size_t i = 0; !REAL_IS_FLOAT && i < loader->image_size; i++)
        planes[i] = (real)loaded[i];
}

bool row_loader_load(RowLoader *loader, const int64_t *images, int64_t count, real *planes,
                     Error *error)
{
    RowTask task = {loader, images, planes};
    parallel_for(count, load_row, &task);
    return loop_errors_check(&loader->errors, error);
}

bool rows_succeeded(const Error *errors, int64_t count, Error *error)
{
    for (int64_t row = 0; row < count; row++)
        if (errors[row].code != ERROR_NONE)
            return fail(error, errors[row].code, "%s", errors[row].message);
    return true;
}
