/* tests/test_parity.c - networks against PyTorch, with weights both sides draw from one generator.
 *
 * tests/parity/golden/ holds what tests/parity/parity.py wrote: the tensors to draw, and logits,
 * input gradients and Hessian-vector products in float64. NEMESIS_PARITY names another folder of
 * such files, for full-size networks and several inputs. Convolutions are direct; Winograd has its
 * own bound.
 *
 * A unit near zero with ReLU, or two near maxima in one pooling window, may be decided otherwise
 * than in float64 by any rounding, and one such flip moves a gradient by 1e-5 to 1e-2. So, in
 * float:
 * - logits are within 1e-5 of the largest, always;
 * - with softplus, on inputs where our pooling decides as float64 does: gradient within 1e-5,
 *   Hessian-vector product within 1e-4;
 * - full size, on inputs without a flip of ours: at most 1.5 times PyTorch's error on the same
 * input;
 * - over all networks and inputs: the median of that ratio is at most 1.5, and flips are at
 * most 1.5 times as many as PyTorch's, give or take three standard deviations. With ReLU a gradient
 * further away than 1e-5 counts as one flip. */
#include "test.h"

#include "drawn_network.h"
#include "../base/file.h"
#include "../engine/graph.h"
#include "../models/models.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_FILES   = 128,
    MOST_LOGITS  = 1024,
    MOST_SAMPLES = 16384,
    MOST_CASES   = 8,
    MOST_TIES    = 8192,
    MOST_POOLS   = 8,
    MOST_RATIOS  = 1024
};
#define SOFTPLUS_BETA 10
#define WORST_RATIO   1.5

typedef struct Samples {
    int    count;
    int    place[MOST_SAMPLES];
    double value[MOST_SAMPLES];
    double torch_error; // relative L2 of float32 PyTorch on the same samples
} Samples;

typedef struct Tie {
    int pool, channel, row, column, best_row, best_column; // the cell, and where its maximum is
} Tie;

typedef struct Case { // one input
    double  logits[MOST_LOGITS];
    double  logits_error; // of float32 PyTorch, relative to the largest logit
    Samples gradient, hessian;
    int     torch_flips; // pooling decisions of float32 PyTorch that are not those of float64
    int     tie_count;
    Tie     ties[MOST_TIES];
} Case;

typedef struct Reference {
    char title[64], architecture[64], layer[64]; // title: the file's name up to the activation
    BlobBuilder *builder;
    bool         is_smooth; // softplus instead of ReLU
    bool         has_norms;
    int64_t      label;
    int          logit_count, case_count;
    Case         cases[MOST_CASES];
} Reference;

/* ---- reference files ------------------------------------------------------------------------- */

static bool read_tensor(Reference *reference, char *text)
{
    const char *name = drawn_tensor(reference->builder, text);
    reference->has_norms |= name && strstr(name, "running_var");
    return name != NULL;
}

static bool read_logits(Reference *reference, Case *input, char *text)
{
    reference->logit_count = (int)strtol(text, &text, 10);
    for (int i = 0; i < reference->logit_count && i < MOST_LOGITS; i++)
        input->logits[i] = strtod(text, &text);
    return reference->logit_count >= 1 && reference->logit_count <= MOST_LOGITS;
}

static bool read_tie(Case *input, const char *text)
{
    if (input->tie_count == MOST_TIES)
        return false;
    Tie *tie = &input->ties[input->tie_count++];
    return sscanf(text, "%d %d %d %d %d %d", &tie->pool, &tie->channel, &tie->row, &tie->column,
                  &tie->best_row, &tie->best_column) == 6 &&
           tie->pool < MOST_POOLS;
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
    Case *input = &reference->cases[reference->case_count - 1];
    if (!strcmp(key, "architecture"))
        snprintf(reference->architecture, sizeof reference->architecture, "%s", text);
    else if (!strcmp(key, "activation"))
        reference->is_smooth = !strcmp(text, "softplus");
    else if (!strcmp(key, "side")) {
        int64_t side       = strtoll(text, NULL, 10);
        reference->builder = blob_builder_new(reference->architecture, side, side);
    } else if (!strcmp(key, "tensor"))
        return read_tensor(reference, text);
    else if (!strcmp(key, "layer"))
        snprintf(reference->layer, sizeof reference->layer, "%s", text);
    else if (!strcmp(key, "about"))
        return drawn_about(reference->builder, text);
    else if (!strcmp(key, "input"))
        return ++reference->case_count <= MOST_CASES;
    else if (!strcmp(key, "logits"))
        return read_logits(reference, input, text);
    else if (!strcmp(key, "logits_error"))
        input->logits_error = strtod(text, NULL);
    else if (!strcmp(key, "label"))
        reference->label = strtoll(text, NULL, 10);
    else if (!strcmp(key, "gradient"))
        return read_sample(&input->gradient, text);
    else if (!strcmp(key, "gradient_error"))
        input->gradient.torch_error = strtod(text, NULL);
    else if (!strcmp(key, "hessian"))
        return read_sample(&input->hessian, text);
    else if (!strcmp(key, "hessian_error"))
        input->hessian.torch_error = strtod(text, NULL);
    else if (!strcmp(key, "flips"))
        input->torch_flips = (int)strtol(text, NULL, 10);
    else if (!strcmp(key, "tie"))
        return read_tie(input, text);
    else
        return false;
    return true;
}

static bool read_reference(const char *path, Reference *reference)
{
    Bytes       file      = {0};
    const char *file_name = strrchr(path, '/') + 1;
    reference->case_count = 1;
    snprintf(reference->title, sizeof reference->title, "%.*s", (int)strcspn(file_name, "-"),
             file_name);
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
    return CHECK(ok && reference->builder && reference->cases[0].gradient.count > 0);
}

/* ---- our side -------------------------------------------------------------------------------- */

typedef struct Answer {
    Graph *graph;
    Plan  *plan;
    NodeId pixels, direction;
    NodeId
        outputs[3 + MOST_POOLS]; // logits, gradient, with softplus: Hessian-vector product, pools
    int count, pools;
} Answer;

static void draw(const char *name, real *out, int64_t count)
{
    uint64_t key = random_key(DRAWN_SEED, name);
    for (int64_t i = 0; i < count; i++)
        out[i] = (real)(2 * random_unit(random_block(key, 0, (uint64_t)i / 4).word[i % 4]) - 1);
}

static bool answer_open(const Reference *reference, WeightBlob *blob, bool keep_norms, Answer *out,
                        Error *error)
{
    NetworkRequest request = {.batch         = 1,
                              .unit          = -1,
                              .layer         = reference->layer[0] ? reference->layer : NULL,
                              .raw_input     = true,
                              .keep_norms    = keep_norms,
                              .softplus_beta = reference->is_smooth ? SOFTPLUS_BETA : 0};
    PlanOptions    options = {.conv = CONV_DIRECT};
    Network        network = {0};
    if (!graph_create(&out->graph, error) ||
        !network_build(out->graph, blob, &request, &network, error))
        return false;
    out->pixels     = network.pixels;
    out->direction  = op_input(out->graph, graph_shape(out->graph, network.pixels), "direction");
    NodeId score    = op_pick(out->graph, network.layer, reference->label);
    int    last     = score;
    out->outputs[0] = network.layer;
    graph_gradient(out->graph, score, &network.pixels, 1, &out->outputs[1]);
    out->count = 2;
    if (reference->is_smooth) {
        NodeId slope = op_dot(out->graph, out->outputs[1], out->direction);
        graph_gradient(out->graph, slope, &network.pixels, 1, &out->outputs[2]);
        out->count = 3;
        for (NodeId node = 0; node < last && out->pools < MOST_POOLS; node++)
            if (graph_node(out->graph, node)->op == OP_MAXPOOL_INDEX)
                out->outputs[out->count + out->pools++] = node;
    }
    return plan_create(&out->plan, out->graph, out->outputs, out->count + out->pools, &options,
                       error);
}

static void answer_run(const Answer *answer, int number)
{
    int64_t count = shape_elements(graph_shape(answer->graph, answer->pixels));
    char    name[32];
    snprintf(name, sizeof name, number ? "input%d" : "input", number);
    draw(name, plan_input(answer->plan, answer->pixels), count);
    if (answer->count == 3)
        draw("direction", plan_input(answer->plan, answer->direction), count);
    plan_run(answer->plan);
}

/* ---- comparison ------------------------------------------------------------------------------ */

// Errors by PyTorch's, and pooling decisions, of all networks of a test.
static struct {
    int    count;
    double ratio[MOST_RATIOS];
    int    inputs, flips, torch_flips;
} record;

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

static double logits_error(const Case *input, int count, const real *found)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < count; i++) {
        worst   = fmax(worst, fabs((double)found[i] - input->logits[i]));
        largest = fmax(largest, fabs(input->logits[i]));
    }
    return worst / largest;
}

// Near ties that our pooling decides otherwise than float64.
static int count_flips(const Case *input, const Answer *found)
{
    int flips = 0;
    for (int i = 0; i < input->tie_count; i++) {
        const Tie *tie = &input->ties[i];
        if (!CHECK(tie->pool < found->pools))
            return flips;
        NodeId      node = found->outputs[found->count + tie->pool];
        const Node *pool = graph_node(found->graph, node);
        Shape       in = graph_shape(found->graph, pool->input[0]), out = pool->shape;
        int64_t     cell = (tie->channel * out.dim[2] + tie->row) * out.dim[3] + tie->column;
        int64_t best = (tie->channel * in.dim[2] + tie->best_row) * in.dim[3] + tie->best_column;
        flips += ((const int32_t *)(const void *)plan_output(found->plan, node))[cell] != best;
    }
    return flips;
}

enum { ENOUGH_SAMPLES = 1024 }; // for a ratio of two errors to be sure to a few percent: full size
static const double visible_flip = 1e-5;

static void check_ratio(double error, const Samples *samples, bool is_flipped)
{
    double ratio = error / samples->torch_error;
    if (CHECK(record.count < MOST_RATIOS))
        record.ratio[record.count++] = ratio;
    if (sizeof(real) == sizeof(float) && !is_flipped && samples->count >= ENOUGH_SAMPLES)
        CHECK(ratio <= WORST_RATIO);
}

/* The references are printed with ten digits and inputs are float32, so double agrees to 1e-9. A
 * flip may cost anything up to 3e-2; more is a mistake. */
static void compare(const Reference *reference, const Case *input, const Answer *found,
                    const char *variant)
{
    const Plan *plan      = found->plan;
    bool        is_double = sizeof(real) == sizeof(double);
    double      logits =
        logits_error(input, reference->logit_count, plan_output(plan, found->outputs[0]));
    double gradient = samples_error(&input->gradient, plan_output(plan, found->outputs[1]));
    int    flips = gradient > visible_flip, torch_flips = input->torch_flips;
    printf("  %-15s%-9s%-8s logits %.2g (PyTorch %.2g)  gradient %.2g (%.2g)", reference->title,
           reference->is_smooth ? "softplus" : "relu", variant, logits, input->logits_error,
           gradient, input->gradient.torch_error);
    if (reference->is_smooth) {
        double hessian = samples_error(&input->hessian, plan_output(plan, found->outputs[2]));
        flips          = count_flips(input, found);
        printf("  Hessian %.2g (%.2g)  flips %d (%d) of %d ties\n", hessian,
               input->hessian.torch_error, flips, torch_flips, input->tie_count);
        CHECK_CLOSE(gradient, 0, is_double ? 1e-7 : flips ? 3e-2 : 1e-5);
        CHECK_CLOSE(hessian, 0, is_double ? 1e-7 : flips ? 3e-2 : 1e-4);
        check_ratio(hessian, &input->hessian, flips > 0);
    } else {
        printf("\n");
        torch_flips = input->gradient.torch_error > visible_flip;
        CHECK_CLOSE(gradient, 0, is_double ? 1e-7 : 3e-2);
    }
    CHECK_CLOSE(logits, 0, is_double ? 1e-8 : 1e-5);
    check_ratio(gradient, &input->gradient, flips > 0);
    record.inputs++;
    if (input->gradient.count >= ENOUGH_SAMPLES) {
        record.flips += flips;
        record.torch_flips += torch_flips;
    }
}

static bool compare_all(const Reference *reference, WeightBlob *blob, bool keep_norms, Error *error)
{
    Answer found = {0};
    bool   ok    = answer_open(reference, blob, keep_norms, &found, error);
    int    cases = keep_norms ? 1 : reference->case_count;
    for (int i = 0; ok && i < cases; i++) {
        answer_run(&found, i);
        compare(reference, &reference->cases[i], &found, keep_norms ? "norms" : "folded");
    }
    plan_destroy(found.plan);
    graph_destroy(found.graph);
    return ok;
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
    for (int keep_norms = 0; blob && keep_norms < (reference->has_norms ? 2 : 1); keep_norms++) {
        if (!CHECK(compare_all(reference, blob, keep_norms, &error)))
            printf("  %s: %s\n", path, error.message);
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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *references(void)
{
    const char *folder = getenv("NEMESIS_PARITY");
    return folder ? folder : "tests/parity/golden";
}

static void check_record(void)
{
    double allowed = WORST_RATIO * record.torch_flips;
    qsort(record.ratio, (size_t)record.count, sizeof *record.ratio, by_value);
    REQUIRE(record.count > 0);
    double median = record.ratio[record.count / 2];
    printf("  error by PyTorch's: median %.2f, quartiles %.2f and %.2f of %d\n", median,
           record.ratio[record.count / 4], record.ratio[3 * record.count / 4], record.count);
    printf("  flips: %d on %d inputs, PyTorch's %d\n", record.flips, record.inputs,
           record.torch_flips);
    if (sizeof(real) == sizeof(double))
        return;
    CHECK(median <= WORST_RATIO);
    CHECK(record.flips <= allowed + 3 * sqrt(allowed + 1)); // rare events: Poisson
}

static void check_networks(const char *ending)
{
    memset(&record, 0, sizeof record);
    check_folder(references(), ending);
    check_record();
}

static void relu_networks_equal_pytorch(void)
{
    check_networks("-relu.txt");
}

static void smooth_networks_equal_pytorch_to_second_order(void)
{
    check_networks("-softplus.txt");
}

SUITE(parity)
{
    RUN(relu_networks_equal_pytorch);
    RUN(smooth_networks_equal_pytorch_to_second_order);
}
