/* training/step_graph.c - the graph of one batch: loss, gradients, statistics. */
#include "trainer.h"

#include "../base/words.h"

typedef struct Pass {
    StepGraph     *step;
    WeightBlob    *blob;
    NetworkRequest request;
} Pass;

// Another pass with the same weights, on pixels that are prepared already.
static bool run_pass(void *self, NodeId input, NodeId *logits, Error *error)
{
    Pass          *pass    = self;
    NetworkRequest request = pass->request;
    Network        network;
    request.raw_input = true;
    request.pixels    = &input;
    if (!network_build(pass->step->graph, pass->blob, &request, &network, error))
        return false;
    *logits = network.layer;
    return true;
}

static void fill_ranges(StepGraph *step, const Preparation *p, const ObjectiveMode *mode)
{
    static const real cifar[3]    = {(real)0.2023, (real)0.1994, (real)0.2010},
                      imagenet[3] = {(real)0.229, (real)0.224, (real)0.225};
    Shape       shape             = graph_shape(step->graph, step->network.prepared);
    bool        small             = shape.dim[2] == 32 && shape.dim[3] == 32;
    const real *fixed             = small ? cifar : imagenet;
    for (int c = 0; c < 3; c++) {
        step->unit[c] = p->scale / (mode->deviation_by_size ? fixed[c] : p->std[c]);
        step->low[c]  = -p->mean[c] / p->std[c];
        step->high[c] = (p->scale - p->mean[c]) / p->std[c];
    }
}

// Outputs: loss, terms, logits, gradients, statistics of the batch.
static bool make_plan(StepGraph *step, ConvMethod conv, Error *error)
{
    const Trainables *list = &step->list;
    const NodeId terms[] = {step->terms.loss, step->terms.logits,  step->terms.ce,   step->terms.l2,
                            step->terms.cosd, step->terms.hessian, step->terms.other};
    enum { TERMS = sizeof terms / sizeof *terms };
    size_t  weights = (size_t)list->weight_count, norms = (size_t)list->norm_count;
    int     count   = 0;
    NodeId *wrt     = memory_new(weights, sizeof *wrt, error);
    NodeId *outputs = memory_new(TERMS + weights + 2 * norms, sizeof *outputs, error);
    step->gradients = memory_new(weights, sizeof *step->gradients, error);
    bool ok         = wrt && outputs && step->gradients;
    if (ok) {
        for (int i = 0; i < list->weight_count; i++)
            wrt[i] = list->weights[i].node;
        objective_gradient(step->graph, &step->terms, wrt, list->weight_count, step->gradients);
        for (int i = 0; i < TERMS; i++)
            if (terms[i] != NODE_NONE)
                outputs[count++] = terms[i];
        for (int i = 0; i < list->weight_count; i++)
            outputs[count++] = step->gradients[i];
        int last = step->terms.counted_first + step->terms.counted;
        for (int i = 0; i < list->norm_count; i++)
            if (list->norms[i].forward >= step->terms.counted_first &&
                list->norms[i].forward < last) {
                outputs[count++] = list->norms[i].mean;
                outputs[count++] = list->norms[i].variance;
            }
        ok = plan_create(&step->plan, step->graph, outputs, count, &(PlanOptions){.conv = conv},
                         error);
    }
    memory_free(wrt);
    memory_free(outputs);
    return ok;
}

// The tower of texts beside that of images, on the same graph and list of weights.
static bool add_texts(const Pass *pass, const CaptionSet *captions, int64_t batch, Error *error)
{
    StepGraph     *step    = pass->step;
    NetworkRequest request = {.batch      = batch,
                              .layer      = "embedding",
                              .unit       = -1,
                              .tokens     = captions->row,
                              .trainables = &step->list};
    if (!network_build(step->graph, pass->blob, &request, &step->texts, error))
        return false;
    Shape  ends = graph_shape(step->graph, step->texts.ends), pairs = shape_2d(batch, batch);
    size_t places      = (size_t)shape_elements(ends);
    step->target       = op_input(step->graph, pairs, "target");
    step->texts_target = op_input(step->graph, pairs, "target of texts");
    step->tokens       = memory_new((size_t)(batch * captions->row), sizeof *step->tokens, error);
    step->ends         = memory_new(places, sizeof *step->ends, error);
    step->claims       = memory_new((size_t)batch, sizeof *step->claims, error);
    return step->tokens && step->ends && step->claims;
}

// Targets as large as the logits.
static bool add_classes(const Pass *pass, int32_t classes, Error *error)
{
    StepGraph *step   = pass->step;
    Shape      logits = graph_shape(step->graph, step->network.layer);
    step->target      = op_input(step->graph, logits, "target");
    return (logits.rank == 2 && logits.dim[1] >= classes) ||
           fail(error, ERROR_USAGE, "%s: gives %s, expected logits of at least %d classes",
                blob_path(pass->blob), SHAPE_TEXT(logits), (int)classes);
}

bool step_graph_open(StepGraph *out, WeightBlob *blob, const TrainingSet *set,
                     const TrainSettings *settings, int64_t batch, Error *error)
{
    Pass          pass         = {.step    = out,
                                  .blob    = blob,
                                  .request = {.batch         = batch,
                                              .unit          = -1,
                                              .softplus_beta = settings->softplus_beta,
                                              .width         = settings->crop ? settings->crop : set->width,
                                              .height     = settings->crop ? settings->crop : set->height,
                                              .trainables = &out->list}};
    ObjectiveData data         = objective_data(&settings->objective);
    bool          has_captions = data == DATA_CAPTIONS;
    pass.request.layer         = has_captions ? "embedding" : NULL;
    *out = (StepGraph){.batch = batch, .noise = NODE_NONE, .texts_target = NODE_NONE};
    if ((data == DATA_UNITS) != (set->units != NULL) || (has_captions && !set->captions))
        return fail(error, ERROR_USAGE, "objective %s wants %s",
                    word_text(OBJECTIVE_NAMES, settings->objective.row),
                    data == DATA_UNITS      ? "units"
                    : data == DATA_CAPTIONS ? "captions of the images (--captions)"
                                            : "images");
    if (!graph_create(&out->graph, error))
        return false;
    if (data == DATA_UNITS)
        return step_graph_of_units(out, blob, set, batch, error) &&
               make_plan(out, settings->conv, error);
    if (!network_build(out->graph, blob, &pass.request, &out->network, error))
        return false;
    if (has_captions ? !add_texts(&pass, set->captions, batch, error)
                     : !add_classes(&pass, set->classes, error))
        return false;
    if (objective_noise(&settings->objective) != DRAWN_NONE)
        out->noise = op_input(out->graph, graph_shape(out->graph, out->network.prepared), "noise");
    if (!objective_check(&settings->objective, error))
        return false;
    fill_ranges(out, blob_preparation(blob), objective_mode(settings->objective.mode));
    ObjectiveBatch on = {.graph        = out->graph,
                         .settings     = &settings->objective,
                         .pass         = run_pass,
                         .self         = &pass,
                         .input        = out->network.prepared,
                         .logits       = out->network.layer,
                         .target       = out->target,
                         .noise        = out->noise,
                         .texts        = out->texts.layer,
                         .texts_target = out->texts_target,
                         .unit         = out->unit,
                         .low          = out->low,
                         .high         = out->high};
    return objective_build(&on, &out->terms, error) && make_plan(out, settings->conv, error);
}

void step_graph_close(StepGraph *step)
{
    memory_free(step->gradients);
    memory_free(step->tokens);
    memory_free(step->ends);
    memory_free(step->claims);
    trainables_close(&step->list);
    plan_destroy(step->plan);
    graph_destroy(step->graph);
    *step = (StepGraph){0};
}
