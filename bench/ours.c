/* bench/ours.c - see ours.h. */
#include "ours.h"

#include "../base/file.h"
#include "../base/parallel.h"

#include <math.h>
#include <string.h>

static void run_plan(void *data)
{
    plan_run(((Ours *)data)->model.plan);
}

static void run_gemm(void *data)
{
    Ours *ours = data;
    gemm_run(&ours->gemm, ours->scratch);
}

static bool write_reals(const char *folder, const char *name, const real *values, size_t count,
                        Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, error) &&
           file_publish(path, values, count * sizeof *values, error);
}

static bool open_network(Ours *ours, const char *folder, Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, folder, "weights.nw", error) ||
        !material_save(&ours->options, path, error) || !blob_open(path, &ours->blob, error) ||
        !model_open(&ours->model, ours->blob, &ours->options, ours->options.batch, CONV_AUTO,
                    error))
        return false;
    NodeId pixels = ours->model.network.pixels;
    ours->flops   = model_flops(&ours->model);
    ours->work    = run_plan;
    ours->data    = ours;
    return write_reals(folder, "pixels.f32", plan_input(ours->model.plan, pixels),
                       (size_t)shape_elements(graph_shape(ours->model.graph, pixels)), error);
}

static bool open_product(Ours *ours, const Case *one, const char *folder, Error *error)
{
    size_t m = (size_t)one->m, n = (size_t)one->n, k = (size_t)one->k;
    ours->a       = memory_new(m * k, sizeof(real), error);
    ours->b       = memory_new(k * n, sizeof(real), error);
    ours->c       = memory_new(m * n, sizeof(real), error);
    ours->scratch = memory_new(gemm_scratch_size(one->m, one->n, one->k, parallel_threads()),
                               sizeof(real), error);
    if (!ours->a || !ours->b || !ours->c || !ours->scratch)
        return false;
    material_fill(ours->a, m * k, "product a", 0, 1);
    material_fill(ours->b, k * n, "product b", 0, 1);
    ours->gemm  = (Gemm){.m        = one->m,
                         .n        = one->n,
                         .k        = one->k,
                         .a        = ours->a,
                         .b        = ours->b,
                         .a_row    = one->k,
                         .a_depth  = 1,
                         .b_depth  = one->n,
                         .b_column = 1,
                         .c        = ours->c};
    ours->flops = 2.0 * (double)m * (double)n * (double)k;
    ours->work  = run_gemm;
    ours->data  = ours;
    return write_reals(folder, "a.f32", ours->a, m * k, error) &&
           write_reals(folder, "b.f32", ours->b, k * n, error);
}

bool ours_open(Ours *ours, const Case *one, const char *folder, Error *error)
{
    ours->options = (Options){.arch           = one->arch,
                              .upto           = one->upto,
                              .batch          = one->batch,
                              .unit           = -1,
                              .input_gradient = one->input_gradient};
    if (!one->arch)
        return open_product(ours, one, folder, error);
    if (!one->is_training)
        return open_network(ours, folder, error);
    ours->work = train_step;
    ours->data = &ours->train;
    if (!train_open(&ours->train, one->arch, one->is_aligned ? 1 : 0, one->batch, error))
        return false;
    ours->flops = train_flops(&ours->train);
    return true;
}

void ours_close(Ours *ours)
{
    model_close(&ours->model);
    train_close(&ours->train);
    blob_close(ours->blob);
    memory_free(ours->a);
    memory_free(ours->b);
    memory_free(ours->c);
    memory_free(ours->scratch);
}

bool ours_distance(const Ours *ours, const Case *one, const char *folder, double *out, Error *error)
{
    char  path[LIMIT_PATH];
    Bytes file = {0};
    *out       = -1;
    if (one->is_training)
        return true;
    const Model *model = &ours->model;
    NodeId       node  = one->input_gradient ? model->gradient : model->network.layer;
    const real  *x     = one->arch ? plan_output(model->plan, node) : ours->c;
    size_t       count = one->arch ? (size_t)shape_elements(graph_shape(model->graph, node))
                                   : (size_t)(one->m * one->n);
    if (!path_join(path, folder, "output.f32", error) ||
        !file_read(path, LIMIT_ARRAY_FILE, &file, error))
        return false;
    bool ok = file.size == count * sizeof *x ||
              fail(error, ERROR_INTERNAL, "the peer's output has %zu bytes, expected %zu",
                   file.size, count * sizeof *x);
    double difference = 0, size = 1e-300;
    for (size_t i = 0; ok && i < count; i++) {
        float y;
        memcpy(&y, file.data + i * sizeof y, sizeof y);
        difference += ((double)x[i] - (double)y) * ((double)x[i] - (double)y);
        size += (double)y * (double)y;
    }
    bytes_close(&file);
    if (ok)
        *out = sqrt(difference / size);
    return ok;
}
