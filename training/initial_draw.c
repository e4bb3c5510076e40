/* training/initial_draw.c - see initial.h. */
#include "initial.h"

#include "../base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

real *fresh_tensor(Fresh *fresh, const char *base, const char *part, Shape shape, real value)
{
    size_t count = (size_t)shape_elements(shape);
    real  *data  = fresh->ok ? memory_new(count, sizeof(real), fresh->error) : NULL;
    fresh->ok    = data != NULL;
    if (!data)
        return NULL;
    for (size_t i = 0; i < count; i++)
        data[i] = value;
    snprintf(fresh->names[fresh->count], sizeof fresh->names[0], "%s%s%s", base, part ? "." : "",
             part ? part : "");
    fresh->tensors[fresh->count] = (BlobTensor){
        .name = fresh->names[fresh->count], .type = BLOB_F32, .shape = shape, .data = data};
    fresh->count++;
    return data;
}

void fresh_text(Fresh *fresh, const char *name, const char *text)
{
    char *copy = fresh->ok ? memory_text(text, fresh->error) : NULL;
    fresh->ok  = copy != NULL;
    if (!copy)
        return;
    snprintf(fresh->names[fresh->count], sizeof fresh->names[0], "%s", name);
    fresh->tensors[fresh->count] = (BlobTensor){.name  = fresh->names[fresh->count],
                                                .type  = BLOB_U8,
                                                .shape = shape_1d((int64_t)strlen(text)),
                                                .data  = copy};
    fresh->count++;
}

void fresh_fill(const Fresh *fresh, real *data, size_t count, bool uniform, double scale)
{
    if (!data)
        return;
    uint64_t key = random_key(fresh->seed, fresh->names[fresh->count - 1]);
    for (size_t i = 0; i < count; i++) {
        RandomBlock block = random_block(key, 0, i);
        double      a     = 2 * random_unit_open(block.word[0]) - 1, b;
        if (!uniform)
            random_gaussian(block.word[0], block.word[1], &a, &b);
        data[i] = (real)(scale * a);
    }
}

static void fresh_drawn(Fresh *fresh, const char *name, Shape shape, bool uniform, double scale)
{
    fresh_fill(fresh, fresh_tensor(fresh, name, NULL, shape, 0), (size_t)shape_elements(shape),
               uniform, scale);
}

void fresh_uniform(Fresh *fresh, const char *name, Shape shape, double bound)
{
    fresh_drawn(fresh, name, shape, true, bound);
}

void fresh_normal(Fresh *fresh, const char *name, Shape shape, double deviation)
{
    fresh_drawn(fresh, name, shape, false, deviation);
}

real *fresh_weight(Fresh *fresh, const char *base, Shape shape)
{
    size_t count   = (size_t)shape_elements(shape);
    double inputs  = (double)count / (double)shape.dim[0];
    double outputs = (double)count / (double)shape.dim[1];
    bool  is_dense = shape.rank == 2 && (fresh->draw == DRAW_OUTPUTS || fresh->draw == DRAW_INPUTS);
    real *data     = fresh_tensor(fresh, base, "weight", shape, 0);
    if (fresh->draw == DRAW_DEFAULT || is_dense)
        fresh_fill(fresh, data, count, true, sqrt(1 / inputs));
    else if (fresh->draw == DRAW_UNIFORM)
        fresh_fill(fresh, data, count, true, sqrt(6 / inputs));
    else
        fresh_fill(fresh, data, count, false,
                   sqrt(2 / (fresh->draw == DRAW_OUTPUTS ? outputs : inputs)));
    return data;
}

real *fresh_bias(Fresh *fresh, const char *base, Shape shape)
{
    double inputs = (double)shape_elements(shape) / (double)shape.dim[0];
    real  *data   = fresh_tensor(fresh, base, "bias", shape_1d(shape.dim[0]), 0);
    if (fresh->draw == DRAW_DEFAULT)
        fresh_fill(fresh, data, (size_t)shape.dim[0], true, sqrt(1 / inputs));
    return data;
}

void fresh_layer(Fresh *fresh, const char *base, Shape shape)
{
    fresh_weight(fresh, base, shape);
    fresh_bias(fresh, base, shape);
}

void fresh_dense(Fresh *fresh, const char *base, int64_t outputs, int64_t inputs)
{
    fresh_layer(fresh, base, shape_2d(outputs, inputs));
}

void fresh_layer_norm(Fresh *fresh, const char *base, int64_t width)
{
    fresh_tensor(fresh, base, "weight", shape_1d(width), 1);
    fresh_tensor(fresh, base, "bias", shape_1d(width), 0);
}

void fresh_norm(Fresh *fresh, const char *base, int64_t channels)
{
    fresh_layer_norm(fresh, base, channels);
    fresh_tensor(fresh, base, "running_mean", shape_1d(channels), 0);
    fresh_tensor(fresh, base, "running_var", shape_1d(channels), 1);
}

bool fresh_encode(Fresh *fresh, const char *about, Bytes *out)
{
    Error   *error = fresh->error;
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    bool ok = fresh->ok && blob_encode(fresh->tensors, fresh->count, about, &bytes, &size, error);
    if (ok)
        *out = (Bytes){bytes, size};
    for (int i = 0; i < fresh->count; i++)
        memory_free((void *)(uintptr_t)fresh->tensors[i].data);
    memory_free(fresh);
    return ok;
}
