/* tests/test_parity.c - networks against PyTorch, with weights both sides draw from one generator.
 *
 * tests/parity/golden/ holds what tests/parity/parity.py wrote: the tensors to draw, and logits,
 * input gradients and Hessian-vector products in float64. NEMESIS_PARITY names another folder of
 * such files, for full-size networks. Convolutions are direct; Winograd has its own bound. */
#include "test.h"

#include "blob_builder.h"
#include "../engine/file.h"
#include "../models/models.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, MOST_FILES = 128, MOST_LOGITS = 1024, MOST_SAMPLES = 256 };
#define SOFTPLUS_BETA 10

typedef struct Samples {
    int    count;
    int    place[MOST_SAMPLES];
    double value[MOST_SAMPLES];
    double torch_error; // relative L2 of float32 PyTorch on the same samples
} Samples;

typedef struct Reference {
    char         name[64];
    BlobBuilder *builder;
    bool         is_smooth; // softplus instead of ReLU
    bool         has_norms;
    int64_t      side, label;
    int          logit_count;
    double       logits[MOST_LOGITS];
    double       logits_error; // of float32 PyTorch, relative to the largest logit
    Samples      gradient, hessian;
} Reference;

/* ---- reference files ------------------------------------------------------------------------- */

static bool read_tensor(Reference *reference, char *text)
{
    char *name   = strtok(text, " ");
    float centre = strtof(strtok(NULL, " "), NULL), spread = strtof(strtok(NULL, " "), NULL);
    Shape shape = {0};
    for (char *word; (word = strtok(NULL, " ")) && shape.rank < 4; shape.rank++)
        shape.dim[shape.rank] = strtoll(word, NULL, 10);
    blob_builder_random(reference->builder, name, shape, SEED, centre, spread);
    reference->has_norms |= strstr(name, "running_var") != NULL;
    return true;
}

static bool read_logits(Reference *reference, char *text)
{
    reference->logit_count = (int)strtol(text, &text, 10);
    for (int i = 0; i < reference->logit_count && i < MOST_LOGITS; i++)
        reference->logits[i] = strtod(text, &text);
    return reference->logit_count >= 1 && reference->logit_count <= MOST_LOGITS;
}

static bool read_sample(Samples *samples, char *text)
{
    if (samples->count == MOST_SAMPLES)
        return false;
    samples->place[samples->count]   = (int)strtol(text, &text, 10);
    samples->value[samples->count++] = strtod(text, NULL);
    return true;
}

static bool read_line(Reference *reference, const char *key, char *text)
{
    if (!strcmp(key, "architecture"))
        snprintf(reference->name, sizeof reference->name, "%s", text);
    else if (!strcmp(key, "activation"))
        reference->is_smooth = !strcmp(text, "softplus");
    else if (!strcmp(key, "side")) {
        reference->side    = strtoll(text, NULL, 10);
        reference->builder = blob_builder_new(reference->name, reference->side, reference->side);
    } else if (!strcmp(key, "tensor"))
        return read_tensor(reference, text);
    else if (!strcmp(key, "logits"))
        return read_logits(reference, text);
    else if (!strcmp(key, "logits_error"))
        reference->logits_error = strtod(text, NULL);
    else if (!strcmp(key, "label"))
        reference->label = strtoll(text, NULL, 10);
    else if (!strcmp(key, "gradient"))
        return read_sample(&reference->gradient, text);
    else if (!strcmp(key, "gradient_error"))
        reference->gradient.torch_error = strtod(text, NULL);
    else if (!strcmp(key, "hessian"))
        return read_sample(&reference->hessian, text);
    else if (!strcmp(key, "hessian_error"))
        reference->hessian.torch_error = strtod(text, NULL);
    else
        return false;
    return true;
}

static bool read_reference(const char *path, Reference *reference)
{
    Bytes file = {0};
    *reference = (Reference){0};
    if (!CHECK(file_read(path, LIMIT_TEXT_FILE, &file, NULL)))
        return false;
    char *text = memory_text((const char *)file.data, NULL);
    bool  ok   = true;
    for (char *line = text, *end; ok && line && *line; line = end) {
        char *space = strchr(line, ' ');
        if ((end = strchr(line, '\n')))
            *end++ = 0;
        if (!space || (end && space > end)) {
            ok = false;
        } else {
            *space = 0;
            ok     = read_line(reference, line, space + 1);
        }
    }
    memory_free(text);
    bytes_close(&file);
    return CHECK(ok && reference->builder && reference->gradient.count > 0);
}

/* ---- our side -------------------------------------------------------------------------------- */

typedef struct Answer {
    Graph *graph;
    Plan  *plan;
    NodeId outputs[3]; // logits, gradient, Hessian-vector product (softplus only)
    int    count;
} Answer;

static void draw(const char *name, real *out, int64_t count)
{
    uint64_t key = random_key(SEED, name);
    for (int64_t i = 0; i < count; i++)
        out[i] = (real)(2 * random_unit(random_block(key, 0, (uint64_t)i / 4).word[i % 4]) - 1);
}

static bool answer(const Reference *reference, WeightBlob *blob, bool keep_norms, Answer *out,
                   Error *error)
{
    NetworkRequest request = {.batch         = 1,
                              .unit          = -1,
                              .raw_input     = true,
                              .keep_norms    = keep_norms,
                              .softplus_beta = reference->is_smooth ? SOFTPLUS_BETA : 0};
    PlanOptions    options = {.conv = CONV_DIRECT};
    Network        network = {0};
    NodeId         direction;
    if (!graph_create(&out->graph, error) ||
        !network_build(out->graph, blob, &request, &network, error))
        return false;
    Shape shape     = graph_shape(out->graph, network.pixels);
    direction       = op_input(out->graph, shape, "direction");
    NodeId score    = op_pick(out->graph, network.layer, reference->label);
    out->outputs[0] = network.layer;
    graph_gradient(out->graph, score, &network.pixels, 1, &out->outputs[1]);
    out->count = 2;
    if (reference->is_smooth) {
        NodeId slope = op_dot(out->graph, out->outputs[1], direction);
        graph_gradient(out->graph, slope, &network.pixels, 1, &out->outputs[2]);
        out->count = 3;
    }
    if (!plan_create(&out->plan, out->graph, out->outputs, out->count, &options, error))
        return false;
    draw("input", plan_input(out->plan, network.pixels), shape_elements(shape));
    if (reference->is_smooth)
        draw("direction", plan_input(out->plan, direction), shape_elements(shape));
    plan_run(out->plan);
    return true;
}

// Relative L2 distance on the sampled elements.
static double samples_error(const Samples *samples, const real *found)
{
    double distance = 0, norm = 0;
    for (int i = 0; i < samples->count; i++) {
        double difference = (double)found[samples->place[i]] - samples->value[i];
        distance += difference * difference;
        norm += samples->value[i] * samples->value[i];
    }
    return sqrt(distance / norm);
}

static double logits_error(const Reference *reference, const real *found)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < reference->logit_count; i++) {
        worst   = fmax(worst, fabs((double)found[i] - reference->logits[i]));
        largest = fmax(largest, fabs(reference->logits[i]));
    }
    return worst / largest;
}

/* The references are printed with ten digits and inputs are float32, so double agrees to 1e-9. One
 * ReLU or pooling window that decides otherwise moves a gradient by more than any rounding: with
 * ReLU the bound only catches mistakes, with softplus (pooling alone) it grows where PyTorch's
 * does. */
static void compare(const Reference *reference, const Answer *found, const char *variant)
{
    bool   is_double = sizeof(real) == sizeof(double);
    double logits    = logits_error(reference, plan_output(found->plan, found->outputs[0]));
    double gradient =
        samples_error(&reference->gradient, plan_output(found->plan, found->outputs[1]));
    printf("  %-15s%-9s%-8s logits %.2g (PyTorch %.2g)  gradient %.2g (%.2g)", reference->name,
           reference->is_smooth ? "softplus" : "relu", variant, logits, reference->logits_error,
           gradient, reference->gradient.torch_error);
    double hessian = 0;
    if (reference->is_smooth) {
        hessian = samples_error(&reference->hessian, plan_output(found->plan, found->outputs[2]));
        printf("  Hessian %.2g (%.2g)", hessian, reference->hessian.torch_error);
    }
    printf("\n");
    double worst_gradient = fmax(1e-5, 1.5 * reference->gradient.torch_error);
    double worst_hessian  = fmax(1e-4, 1.5 * reference->hessian.torch_error);
    CHECK_CLOSE(logits, 0, is_double ? 1e-8 : 1e-5);
    CHECK_CLOSE(gradient, 0, is_double ? 1e-7 : reference->is_smooth ? worst_gradient : 1e-2);
    CHECK_CLOSE(hessian, 0, is_double ? 1e-7 : worst_hessian);
}

static void check_reference(const char *path)
{
    Reference  *reference = memory_new(1, sizeof *reference, NULL);
    WeightBlob *blob      = NULL;
    Error       error     = {0};
    char        file[256];
    snprintf(file, sizeof file, "%s/test.nw", test_folder());
    if (!read_reference(path, reference))
        printf("  %s cannot be read\n", path);
    else if (!CHECK(blob_builder_save(reference->builder, file, &error) &&
                    blob_open(file, &blob, &error)))
        printf("  %s\n", error.message);
    for (int keep_norms = 0; blob && keep_norms <= reference->has_norms; keep_norms++) {
        Answer found = {0};
        if (CHECK(answer(reference, blob, keep_norms, &found, &error)))
            compare(reference, &found, keep_norms ? "norms" : "folded");
        else
            printf("  %s: %s\n", path, error.message);
        plan_destroy(found.plan);
        graph_destroy(found.graph);
    }
    if (reference->builder)
        blob_builder_free(reference->builder);
    blob_close(blob);
    remove(file);
    memory_free(reference);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_folder(const char *folder, const char *ending)
{
    DIR  *handle = opendir(folder);
    char *names[MOST_FILES];
    int   count = 0;
    REQUIRE(handle != NULL);
    for (struct dirent *entry; (entry = readdir(handle)) && count < MOST_FILES;)
        if (strstr(entry->d_name, ending))
            names[count++] = memory_text(entry->d_name, NULL);
    closedir(handle);
    CHECK(count > 0);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        check_reference(path);
        memory_free(names[i]);
    }
}

static const char *references(void)
{
    const char *folder = getenv("NEMESIS_PARITY");
    return folder ? folder : "tests/parity/golden";
}

static void relu_networks_equal_pytorch(void)
{
    check_folder(references(), "-relu.txt");
}

static void smooth_networks_equal_pytorch_to_second_order(void)
{
    check_folder(references(), "-softplus.txt");
}

SUITE(parity)
{
    RUN(relu_networks_equal_pytorch);
    RUN(smooth_networks_equal_pytorch_to_second_order);
}
