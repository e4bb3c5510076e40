/* attribution/runner.c - see runner.h. */
#include "runner.h"
#include "making.h"

#include <math.h>
#include <string.h>

/* ---- opening --------------------------------------------------------------------------------- */

static bool is_path(const MapRunner *runner)
{
    return runner->job.method->kind == MAP_INTEGRATED;
}

static bool open_box(MapRunner *runner, WeightBlob *blob, Error *error)
{
    real low[3], high[3];
    if (runner->job.copies == 0)
        return true;
    if (!pixel_bounds(blob, low, high, error))
        return false;
    for (int c = 0; c < 3; c++)
        runner->span[c] = high[c] - low[c];
    return true;
}

// All that a run computes: attributions, what is explained, sums of relevance.
static bool open_plan(MapRunner *runner, Error *error)
{
    const Account *account = &runner->map.account;
    int            count   = 2;
    NodeId        *outputs = memory_new(2 + 5 * (size_t)account->count, sizeof *outputs, error);
    PlanOptions    options = map_plan_options;
    if (!outputs)
        return false;
    options.conv = runner->job.conv;
    outputs[0]   = runner->map.each;
    outputs[1]   = runner->map.layer;
    for (int i = 0; i < account->count; i++) {
        outputs[count++] = account->rows[i].relevance;
        outputs[count++] = account->rows[i].bias;
        outputs[count++] = account->rows[i].stabiliser;
        outputs[count++] = account->rows[i].dead;
        outputs[count++] = account->rows[i].size;
    }
    bool ok = plan_create(&runner->plan, runner->graph, outputs, count, &options, error);
    memory_free(outputs);
    return ok;
}

static bool open_graph(MapRunner *runner, WeightBlob *blob, Error *error)
{
    const MapJob *job = &runner->job;
    if (!graph_create(&runner->graph, error))
        return false;
    runner->beta       = job->softplus ? op_scalar_input(runner->graph, 1, "beta") : NODE_NONE;
    MapRequest request = {.method    = job->method,
                          .mode      = &job->mode,
                          .relevance = job->relevance,
                          .beta      = job->softplus ? &runner->beta : NULL,
                          .layer     = job->layer,
                          .patterns  = job->patterns,
                          .width     = job->width,
                          .height    = job->height,
                          .points    = is_path(runner) ? job->batch : 0};
    return map_build(runner->graph, blob, &request, &runner->map, error) &&
           open_plan(runner, error);
}

static bool open_arrays(MapRunner *runner, Error *error)
{
    Shape  shape      = graph_shape(runner->graph, runner->map.raw);
    size_t rows       = (size_t)runner->map.account.count;
    runner->channels  = shape.dim[1];
    runner->cells     = shape.dim[2] * shape.dim[3];
    size_t values     = (size_t)(runner->channels * runner->cells);
    runner->raw       = memory_new(values, sizeof *runner->raw, error);
    runner->copy      = memory_new(values, sizeof *runner->copy, error);
    runner->form      = memory_new((size_t)runner->cells, sizeof *runner->form, error);
    runner->form_copy = memory_new((size_t)runner->cells, sizeof *runner->form_copy, error);
    runner->account   = memory_new(rows, sizeof *runner->account, error);
    size_t points     = (size_t)path_points(runner->job.mode.path, runner->job.mode.steps);
    runner->factor    = memory_new(points, sizeof *runner->factor, error);
    runner->share     = memory_new(points, sizeof *runner->share, error);
    if (runner->factor && runner->share)
        path_fill(runner->job.mode.path, runner->job.mode.steps, runner->factor, runner->share);
    return runner->factor && runner->share && runner->raw && runner->copy && runner->form &&
           runner->form_copy && runner->account;
}

bool map_runner_open(MapRunner *out, WeightBlob *blob, const MapJob *job, Error *error)
{
    MapRunner runner = {.job = *job};
    if (!open_graph(&runner, blob, error) || !open_box(&runner, blob, error) ||
        !open_arrays(&runner, error)) {
        map_runner_close(&runner);
        return false;
    }
    runner.job.baseline = job->baseline;
    *out                = runner;
    return true;
}

void map_runner_close(MapRunner *runner)
{
    plan_destroy(runner->plan);
    map_close(&runner->map);
    graph_destroy(runner->graph);
    memory_free(runner->raw);
    memory_free(runner->copy);
    memory_free(runner->form);
    memory_free(runner->form_copy);
    memory_free(runner->account);
    memory_free(runner->factor);
    memory_free(runner->share);
    *runner = (MapRunner){0};
}

void map_runner_beta(MapRunner *runner, double beta)
{
    plan_set_scalar(runner->plan, runner->beta, (real)beta);
}

/* ---- one image, or one copy of it ------------------------------------------------------------ */

// What is explained, at one point of the last run: a logit or its probability, or the sum of a
// unit's map.
static double value_of(const MapRunner *runner, int64_t unit, int64_t point)
{
    Shape       shape = graph_shape(runner->graph, runner->map.layer);
    int64_t     cells = shape_elements(shape) / (shape.dim[0] * shape.dim[1]);
    const real *values =
        plan_output(runner->plan, runner->map.layer) + point * shape.dim[1] * cells;
    double sum = 0;
    if (making_is_probability(&runner->job.mode, runner->job.layer))
        return logits_probability(values, shape.dim[1], unit);
    for (int64_t i = 0; i < cells; i++)
        sum += (double)values[unit * cells + i];
    return sum;
}

static double value_at(MapRunner *runner, int64_t unit, double factor)
{
    real *factors = plan_input(runner->plan, runner->map.factor);
    for (int64_t i = 0; i < runner->map.points; i++)
        factors[i] = (real)factor;
    plan_run(runner->plan);
    return value_of(runner, unit, 0);
}

/* The mean gradient along the path, piece by piece, into `raw`; then what it says of f. */
static void run_path(MapRunner *runner, const real *image, int64_t unit, double *raw)
{
    const MapMode *mode   = &runner->job.mode;
    const real    *start  = plan_input(runner->plan, runner->map.baseline);
    int64_t        values = runner->channels * runner->cells;
    int            points = path_points(mode->path, mode->steps);
    double         whole  = 0;
    memset(raw, 0, (size_t)values * sizeof *raw);
    for (int64_t first = 0; first < points; first += runner->map.points) {
        real *factors = plan_input(runner->plan, runner->map.factor);
        for (int64_t i = 0; i < runner->map.points; i++)
            factors[i] = (real)(first + i < points ? runner->factor[first + i] : 0);
        plan_run(runner->plan);
        const real *each = plan_output(runner->plan, runner->map.each);
        for (int64_t i = 0; i < runner->map.points && first + i < points; i++)
            for (int64_t k = 0; k < values; k++)
                raw[k] += runner->share[first + i] * (double)each[i * values + k];
    }
    for (int64_t k = 0; k < values; k++) {
        double distance = (double)image[k] - (double)start[k];
        whole += raw[k] * distance;
        if (mode->path_times_input)
            raw[k] *= distance;
    }
    double end               = value_at(runner, unit, 1);
    runner->has_completeness = true;
    runner->completeness_error += whole - (end - value_at(runner, unit, 0));
}

static void run_once(MapRunner *runner, const real *image, int64_t unit, double *raw)
{
    memcpy(plan_input(runner->plan, runner->map.image), image,
           (size_t)shape_elements(graph_shape(runner->graph, runner->map.image)) * sizeof *image);
    map_choose(runner->plan, &runner->map, unit);
    if (is_path(runner)) {
        if (runner->job.baseline)
            memcpy(plan_input(runner->plan, runner->map.baseline), runner->job.baseline,
                   (size_t)(runner->channels * runner->cells) * sizeof *image);
        run_path(runner, image, unit, raw);
        return;
    }
    plan_run(runner->plan);
    const real *each = plan_output(runner->plan, runner->map.each);
    for (int64_t k = 0; k < runner->channels * runner->cells; k++)
        raw[k] = (double)each[k];
}

static void add_account(MapRunner *runner, double share)
{
    const Account *account = &runner->map.account;
    for (int i = 0; i < account->count; i++) {
        const AccountRow *row = &account->rows[i];
        AccountSums      *sum = &runner->account[i];
        sum->relevance += share * (double)*plan_output(runner->plan, row->relevance);
        sum->bias += share * (double)*plan_output(runner->plan, row->bias);
        sum->stabiliser += share * (double)*plan_output(runner->plan, row->stabiliser);
        sum->size += share * (double)*plan_output(runner->plan, row->size);
        sum->dead += share * (double)*plan_output(runner->plan, row->dead);
    }
}

/* ---- noisy copies ---------------------------------------------------------------------------- */

/* The image with normal noise (E8). */
static void add_noise(const MapRunner *runner, const real *image, uint64_t draw, int64_t copy,
                      real *out)
{
    int64_t plane = runner->job.height * runner->job.width;
    for (int64_t i = 0; i < 3 * plane; i += 4) {
        double z[4];
        smoothing_noise(runner->job.seed, draw, (uint64_t)copy, 0, (uint64_t)i / 4, z);
        for (int64_t k = i; k < i + 4 && k < 3 * plane; k++) {
            double deviation = runner->job.level * (double)runner->span[k / plane];
            out[k]           = (real)((double)image[k] + deviation * z[k - i]);
        }
    }
}

static void run_copies(MapRunner *runner, const real *image, int64_t unit, uint64_t draw)
{
    int64_t values = runner->channels * runner->cells, copies = runner->job.copies;
    double  share = 1 / (double)copies;
    real   *input = plan_input(runner->plan, runner->map.image);
    for (int64_t copy = 0; copy < copies; copy++) {
        add_noise(runner, image, draw, copy, input);
        run_once(runner, input, unit, runner->copy);
        add_account(runner, share);
        map_form(runner->job.mode.form, runner->copy, runner->channels, runner->cells,
                 runner->form_copy);
        for (int64_t k = 0; k < values; k++)
            runner->raw[k] += share * runner->copy[k];
        for (int64_t k = 0; k < runner->cells; k++)
            runner->form[k] += (float)(share * (double)runner->form_copy[k]);
    }
    runner->completeness_error *= share;
}

void map_runner_run(MapRunner *runner, const real *image, int64_t unit, uint64_t draw)
{
    int64_t values = runner->channels * runner->cells;
    memset(runner->raw, 0, (size_t)values * sizeof *runner->raw);
    memset(runner->form, 0, (size_t)runner->cells * sizeof *runner->form);
    memset(runner->account, 0, (size_t)runner->map.account.count * sizeof *runner->account);
    runner->completeness_error = 0;
    if (runner->job.copies) {
        run_copies(runner, image, unit, draw);
    } else {
        run_once(runner, image, unit, runner->raw);
        add_account(runner, 1);
    }
    if (!runner->job.copies || !runner->job.mode.smooths_maps)
        map_form(runner->job.mode.form, runner->raw, runner->channels, runner->cells, runner->form);
    runner->sum = runner->size = 0;
    for (int64_t k = 0; k < values; k++) {
        runner->sum += runner->raw[k];
        runner->size += fabs(runner->raw[k]);
    }
}
