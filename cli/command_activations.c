/* cli/command_activations.c - one layer of a network as an array, and the gradient of a logit. */
#include "../base/file.h"
#include "../models/models.h"
#include "../format/npy.h"
#include "commands.h"
#include "../format/json.h"
#include "../probe/picture.h"
#include "output.h"
#include "outputs.h"
#include "subjects.h"

/* The inputs of the network: planes in 0..1, which its graph prepares, so that a gradient is in
 * RGB (Subject has prepared images); or a tensor taken as it is. */
typedef struct Inputs {
    float *values; // [count, 3, height, width]
    Shape  shape;
    bool   is_raw;
} Inputs;

static bool open_inputs(const Settings *settings, const WeightBlob *blob, Inputs *out, Error *error)
{
    const Preparation *p = blob_preparation(blob);
    if (settings->input_count == 1 && npy_is_name(settings->inputs[0])) {
        out->is_raw = true;
        return subjects_array_read(settings->inputs[0], &out->values, &out->shape, error);
    }
    if (!blob_takes_images(blob, error))
        return false;
    size_t plane = 3 * (size_t)p->height * (size_t)p->width;
    out->shape   = shape_4d(settings->input_count, 3, p->height, p->width);
    out->values  = memory_new((size_t)settings->input_count * plane, sizeof *out->values, error);
    for (int i = 0; out->values && i < settings->input_count; i++)
        if (!picture_planes(settings->inputs[i], p, out->values + (size_t)i * plane, error))
            return false;
    return out->values != NULL;
}

// What a graph of one batch computes: a layer, or the gradient of a logit by the input.
typedef struct Work {
    Graph *graph;
    Plan  *plan;
    NodeId input, output;
} Work;

static void work_close(Work *work)
{
    plan_destroy(work->plan);
    graph_destroy(work->graph);
}

// `class` >= 0: d (sum over images of logit `class`) / d input, so each image has its own gradient.
static bool work_open(Work *out, WeightBlob *blob, const NetworkRequest *request, int64_t class,
                      Error *error)
{
    Network     network;
    PlanOptions options = {.conv = request->conv};
    *out                = (Work){0};
    if (!graph_create(&out->graph, error) ||
        !network_build(out->graph, blob, request, &network, error))
        return false;
    out->input  = network.pixels;
    out->output = network.layer;
    if (class >= 0) {
        Shape logits = graph_shape(out->graph, network.layer);
        if (class >= logits.dim[1])
            return fail(error, ERROR_USAGE, "--gradient: class %lld does not exist, there are %lld",
                        (long long)class, (long long)logits.dim[1]);
        NodeId chosen = op_sum(out->graph, op_slice(out->graph, network.layer, 1, class, 1));
        graph_gradient(out->graph, chosen, &network.pixels, 1, &out->output);
    }
    return plan_create(&out->plan, out->graph, &out->output, 1, &options, error);
}

// Runs all inputs batch by batch and writes what comes out.
static bool work_write(Work *work, const Inputs *inputs, int64_t batch, const char *path,
                       Shape *shape, Error *error)
{
    int64_t count = inputs->shape.dim[0];
    size_t  in    = (size_t)(shape_elements(inputs->shape) / count);
    *shape        = graph_shape(work->graph, work->output);
    size_t out    = (size_t)(shape_elements(*shape) / batch);
    shape->dim[0] = count;
    float *values = memory_new((size_t)count * out, sizeof *values, error);
    if (!values)
        return false;
    for (int64_t first = 0; first < count; first += batch) {
        size_t images = (size_t)(count - first < batch ? count - first : batch);
        real  *pixels = plan_input(work->plan, work->input);
        for (size_t i = 0; i < images * in; i++)
            pixels[i] = (real)inputs->values[(size_t)first * in + i];
        plan_run(work->plan);
        const real *result = plan_output(work->plan, work->output);
        for (size_t i = 0; i < images * out; i++)
            values[(size_t)first * out + i] = (float)result[i];
    }
    bool ok = npy_write(path, values, *shape, error);
    memory_free(values);
    return ok;
}

static void tell(const char *what, const char *path, Shape shape, JsonWriter *json, bool as_json)
{
    if (!as_json) {
        print_clean(stdout, path);
        printf(": %s ", what);
        printf("%s\n", SHAPE_TEXT(shape));
        return;
    }
    json_open_object(json, what);
    json_text(json, "path", path);
    json_open_array(json, "shape");
    for (int i = 0; i < shape.rank; i++)
        json_whole(json, NULL, shape.dim[i]);
    json_close(json);
    json_close(json);
}

static bool write_one(WeightBlob *blob, const NetworkRequest *request, const Inputs *inputs,
                      int64_t class, const char *path, Shape *shape, Error *error)
{
    Work work;
    bool ok = work_open(&work, blob, request, class, error) &&
              work_write(&work, inputs, request->batch, path, shape, error);
    work_close(&work);
    return ok;
}

static bool read_activation(const char *text, real *beta, Error *error)
{
    return !text || (activation_parse(text, beta) && *beta > 0) ||
           fail(error, ERROR_USAGE, "--activation: '%s' is not softplus:BETA with BETA > 0", text);
}

// No output is a photo, an array or the weights that are read, nor the other output.
static bool check_outputs(const Settings *settings, Error *error)
{
    const char *outputs[] = {settings->out, settings->gradient.text};
    UsedPath    used[]    = {{"the weight blob", settings->model},
                             {"the other output", settings->gradient.text}};
    for (int k = 0; k < 2 && outputs[k]; k++) {
        if (!output_file_check(outputs[k], used, k == 0 ? 2 : 1, error))
            return false;
        for (int i = 0; i < settings->input_count; i++)
            if (!output_file_check(outputs[k], &(UsedPath){"an input", settings->inputs[i]}, 1,
                                   error))
                return false;
    }
    return true;
}

static bool run(const Settings *settings, Error *error)
{
    WeightBlob    *blob   = NULL;
    Inputs         inputs = {0};
    JsonWriter     json   = {0};
    Shape          shape, gradient_shape;
    NetworkRequest request        = {.layer     = settings->layer,
                                     .unit      = -1,
                                     .post_relu = settings->readout == READOUT_POST,
                                     .conv      = (ConvMethod)settings->conv};
    bool           wants_gradient = settings->gradient.text != NULL;
    bool           ok = read_activation(settings->activation, &request.softplus_beta, error) &&
              inputs_check((UsedPath[]){{"the weight blob", settings->model},
                                        {"the input", settings->inputs[0]}},
                           2, error) &&
              check_outputs(settings, error) && blob_open(settings->model, &blob, error) &&
              open_inputs(settings, blob, &inputs, error);
    Activation own = {.is_relu = true};
    ok             = ok && network_activation_before(blob, NULL, &own, error);
    if (ok && settings->activation && !own.is_relu)
        ok =
            fail(error, ERROR_USAGE,
                 "--activation: %s has no ReLU, so softplus would change nothing", settings->model);
    if (ok) {
        int64_t most      = batch_of(settings, DEFAULT_BATCH);
        request.batch     = inputs.shape.dim[0] < most ? inputs.shape.dim[0] : most;
        request.height    = inputs.shape.dim[2];
        request.width     = inputs.shape.dim[3];
        request.raw_input = inputs.is_raw;
        ok                = write_one(blob, &request, &inputs, -1, settings->out, &shape, error);
    }
    if (ok && wants_gradient) {
        request.layer = NULL;
        ok = write_one(blob, &request, &inputs, settings->gradient.number, settings->gradient.text,
                       &gradient_shape, error);
    }
    if (settings->json)
        json_open_object(&json, NULL);
    if (ok)
        tell("activations", settings->out, shape, &json, settings->json);
    if (ok && own.is_relu && settings->layer && settings->readout == READOUT_AUTO)
        note(settings, "note: convolutions are read before their ReLU, as --readout pre says; post "
                       "reads them after it");
    if (ok && wants_gradient)
        tell("gradient", settings->gradient.text, gradient_shape, &json, settings->json);
    if (ok && settings->json) {
        json_close(&json);
        ok = json_print(&json, error);
    }
    json_discard(&json);
    memory_free(inputs.values);
    blob_close(blob);
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    {.name   = "layer",
     .letter = 'l',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, layer),
     .value  = "LAYER",
     .help   = "layer by the network's own name (default: the logits)"},
    OPTION_OUT("OUT.npy", "float32 array to make, one row per image"),
    {.name   = "gradient",
     .kind   = ARGUMENT_PAIR,
     .offset = offsetof(Settings, gradient),
     .value  = "K OUT2.npy",
     .most   = 1 << 24,
     .help   = "also the gradient of logit K in the input: RGB in 0..1, or the .npy"},
    {.name   = "activation",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, activation),
     .value  = "softplus:BETA",
     .help   = "in place of every ReLU"},
    OPTION_READOUT("read convolutions before or after their ReLU; auto: before"),
    OPTION_CONV,
    OPTION_END};

const Verb verb_activations = {
    .name        = "activations",
    .inputs      = "INPUT...",
    .input_least = 1,
    .input_most  = 1 << 20,
    .summary     = "one layer of a network as an array",
    .details     = "INPUT is photos, prepared as the weight blob says, or one .npy of float32 "
                   "[n, 3, h, w] that is the prepared input and taken as it is.",
    .example     = "nemesis activations -m vgg16.nw -l conv3_3 photo.jpg -o maps.npy",
    .options     = options,
    .shared      = "threads|batch|max-pixels|" SHARED_BY_ALL,
    .run         = run,
};
