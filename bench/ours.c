/* bench/ours.c - see ours.h. */
#include "ours.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../training/trainer.h"

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
        !model_open(&ours->model, ours->blob, &ours->options, ours->options.batch,
                    ours->options.conv, error))
        return false;
    NodeId pixels = ours->model.network.pixels;
    ours->flops   = model_flops(&ours->model);
    ours->work    = run_plan;
    ours->data    = ours;
    return write_reals(folder, "pixels.f32", plan_input(ours->model.plan, pixels),
                       (size_t)shape_elements(graph_shape(ours->model.graph, pixels)), error);
}

static bool open_attack(Ours *ours, const char *folder, Error *error)
{
    char   path[LIMIT_PATH];
    size_t values = 0;
    if (!path_join(path, folder, "weights.nw", error) ||
        !material_save(&ours->options, path, error) || !blob_open(path, &ours->blob, error) ||
        !map_work_open(&ours->attack, ours->blob, "gradient", ours->options.conv, error))
        return false;
    values      = (size_t)ours->attack.attack.state.values;
    ours->flops = map_work_flops(&ours->attack);
    ours->work  = map_work_step;
    ours->data  = &ours->attack;
    ours->a     = memory_new(values, sizeof(real), error);
    ours->b     = memory_new(values, sizeof(real), error);
    if (!ours->a || !ours->b)
        return false;
    map_work_images(ours->a, ours->b, values);
    return write_reals(folder, "pixels.f32", ours->a, values, error) &&
           write_reals(folder, "moved.f32", ours->b, values, error);
}

static bool open_product(Ours *ours, const Case *one, const char *folder, Error *error)
{
    size_t m = (size_t)one->m, n = (size_t)one->n, k = (size_t)one->k;
    ours->a       = memory_new(m * k, sizeof(real), error);
    ours->b       = memory_new(k * n, sizeof(real), error);
    ours->c       = memory_new(m * n, sizeof(real), error);
    ours->scratch = memory_new(gemm_scratch_size(1, one->m, one->n, one->k, parallel_threads()),
                               sizeof(real), error);
    if (!ours->a || !ours->b || !ours->c || !ours->scratch)
        return false;
    material_fill(ours->a, m * k, "product a", 0, 1);
    material_fill(ours->b, k * n, "product b", 0, 1);
    ours->gemm  = (Gemm){.groups   = 1,
                         .m        = one->m,
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

bool ours_open(Ours *ours, const Case *one, const char *folder, ConvMethod conv, Error *error)
{
    ours->options = (Options){.arch           = one->arch,
                              .upto           = one->upto,
                              .batch          = one->batch,
                              .conv           = conv,
                              .unit           = -1,
                              .input_gradient = one->input_gradient};
    if (!one->arch)
        return open_product(ours, one, folder, error);
    if (one->is_map_attack)
        return open_attack(ours, folder, error);
    if (!one->is_training)
        return open_network(ours, folder, error);
    ours->work = train_step;
    ours->data = &ours->train;
    if (!train_open(&ours->train, one->arch, one->is_aligned, one->batch, error))
        return false;
    ours->flops = train_flops(&ours->train);
    return true;
}

void ours_close(Ours *ours)
{
    model_close(&ours->model);
    train_close(&ours->train);
    map_work_close(&ours->attack);
    blob_close(ours->blob);
    memory_free(ours->a);
    memory_free(ours->b);
    memory_free(ours->c);
    memory_free(ours->scratch);
}

size_t ours_bytes(const Ours *ours)
{
    const Plan *plan = ours->model.plan      ? ours->model.plan
                       : ours->train.trainer ? ours->train.trainer->whole.plan
                                             : ours->attack.attack.plan;
    return plan ? plan_bytes(plan) : 0;
}

const Error *ours_error(const Ours *ours)
{
    return ours->train.trainer ? &ours->train.error : &ours->attack.error;
}

/* ---- beside the peer's result ---------------------------------------------------------------- */

// Of x from the floats at `bytes`.
static double distance(const real *x, const uint8_t *bytes, size_t count)
{
    double difference = 0, size = 1e-300;
    for (size_t i = 0; i < count; i++) {
        float y;
        memcpy(&y, bytes + i * sizeof y, sizeof y);
        difference += ((double)x[i] - (double)y) * ((double)x[i] - (double)y);
        size += (double)y * (double)y;
    }
    return sqrt(difference / size);
}

// The arrays of a result, one after another in the peer's file; returns how many.
static int results(const Ours *ours, const Case *one, const real *x[2], size_t count[2])
{
    const MapAttack *attack = &ours->attack.attack;
    const Model     *model  = &ours->model;
    NodeId           node   = one->input_gradient ? model->gradient : model->network.layer;
    if (one->is_map_attack) {
        x[0]     = plan_output(attack->plan, attack->loss);
        count[0] = 1;
        x[1]     = map_attack_gradient(attack);
        count[1] = (size_t)attack->state.values;
        return 2;
    }
    x[0]     = one->arch ? plan_output(model->plan, node) : ours->c;
    count[0] = one->arch ? (size_t)shape_elements(graph_shape(model->graph, node))
                         : (size_t)(one->m * one->n);
    return 1;
}

bool ours_distance(const Ours *ours, const Case *one, const char *folder, double *out, Error *error)
{
    char        path[LIMIT_PATH];
    Bytes       file = {0};
    const real *x[2];
    size_t      count[2] = {0};
    *out                 = -1;
    if (one->is_training)
        return true;
    int    arrays = results(ours, one, x, count);
    size_t size   = (count[0] + count[1]) * sizeof(float);
    if (!path_join(path, folder, "output.f32", error) ||
        !file_read(path, LIMIT_ARRAY_FILE, &file, error))
        return false;
    bool ok =
        file.size == size || fail(error, ERROR_INTERNAL,
                                  "the peer's output has %zu bytes, expected %zu", file.size, size);
    const uint8_t *at = file.data;
    for (int i = 0; ok && i < arrays; at += count[i++] * sizeof(float))
        *out = fmax(*out, distance(x[i], at, count[i]));
    bytes_close(&file);
    return ok;
}
