/* attribution/curvature.c - see curvature.h. */
#include "curvature.h"
#include "../engine/sweep.h"

#include <float.h>
#include <math.h>
#include <string.h>

const double curvature_tolerance = 1e-4;

/* ---- opening --------------------------------------------------------------------------------- */

static void append_products(Curvature *curvature)
{
    Graph *graph      = curvature->nodes.graph;
    NodeId image      = curvature->nodes.image;
    Shape  classes    = graph_shape(graph, curvature->nodes.logits);
    curvature->target = op_input(graph, classes, "target");
    curvature->along  = op_input(graph, graph_shape(graph, image), "along");
    curvature->value  = op_dot(graph, curvature->target, curvature->nodes.logits);
    graph_gradient(graph, curvature->value, &image, 1, &curvature->gradient);
    NodeId slope = op_dot(graph, curvature->gradient, curvature->along);
    graph_gradient(graph, slope, &image, 1, &curvature->product);
}

// Which nodes of the forward pass are choices of max-pools.
static bool list_pools(Curvature *curvature, Error *error)
{
    const Graph *graph = curvature->nodes.graph;
    NodeId       last  = curvature->nodes.logits;
    curvature->pools   = memory_new((size_t)last + 1, sizeof *curvature->pools, error);
    for (NodeId node = 0; curvature->pools && node < last; node++)
        if (graph_op(graph, node) == OP_MAXPOOL_INDEX) {
            curvature->pools[curvature->pool_count++] = node;
            curvature->choice_count += shape_elements(graph_shape(graph, node));
        }
    return curvature->pools != NULL;
}

static bool open_plan(Curvature *curvature, const PlanOptions *options, Error *error)
{
    int     count   = 0;
    NodeId *outputs = memory_new(3 + (size_t)curvature->pool_count, sizeof *outputs, error);
    if (!outputs)
        return false;
    outputs[count++] = curvature->value;
    outputs[count++] = curvature->gradient;
    outputs[count++] = curvature->product;
    for (int i = 0; i < curvature->pool_count; i++)
        outputs[count++] = curvature->pools[i];
    bool ok = plan_create(&curvature->plan, curvature->nodes.graph, outputs, count, options, error);
    memory_free(outputs);
    return ok;
}

static bool open_vectors(Curvature *curvature, Error *error)
{
    size_t count         = (size_t)curvature->count;
    curvature->image     = memory_new(count, sizeof(real), error);
    curvature->direction = memory_new(count, sizeof(real), error);
    curvature->before    = memory_new(count, sizeof(real), error);
    curvature->normal    = memory_new(count, sizeof(real), error);
    curvature->bent      = memory_new(count, sizeof(real), error);
    curvature->choices =
        memory_new((size_t)curvature->choice_count + 1, sizeof *curvature->choices, error);
    return curvature->image && curvature->direction && curvature->before && curvature->normal &&
           curvature->bent && curvature->choices;
}

bool curvature_open(Curvature *out, const CurvatureNodes *nodes, const PlanOptions *options,
                    Error *error)
{
    Curvature curvature = {.nodes = *nodes};
    append_products(&curvature);
    if (!graph_check(nodes->graph, error))
        return false;
    curvature.count = shape_elements(graph_shape(nodes->graph, nodes->image));
    if (!list_pools(&curvature, error) || !open_plan(&curvature, options, error) ||
        !open_vectors(&curvature, error)) {
        curvature_close(&curvature);
        return false;
    }
    *out = curvature;
    return true;
}

void curvature_close(Curvature *curvature)
{
    plan_destroy(curvature->plan);
    memory_free(curvature->image);
    memory_free(curvature->direction);
    memory_free(curvature->before);
    memory_free(curvature->normal);
    memory_free(curvature->bent);
    memory_free(curvature->pools);
    memory_free(curvature->choices);
    *curvature = (Curvature){0};
}

void curvature_choose(Curvature *curvature, int64_t class, double beta)
{
    int64_t classes = shape_elements(graph_shape(curvature->nodes.graph, curvature->target));
    real   *target  = plan_input(curvature->plan, curvature->target);
    for (int64_t k = 0; k < classes; k++)
        target[k] = (real)(k == class);
    plan_set_scalar(curvature->plan, curvature->nodes.beta, (real)beta);
}

void curvature_start(Curvature *curvature, uint64_t seed)
{
    Random random = random_stream(seed, "curvature");
    for (int64_t i = 0; i < curvature->count; i++)
        curvature->direction[i] = (real)((double)random_below(&random, 1 << 24) / (1 << 23) - 1);
}

/* ---- vectors --------------------------------------------------------------------------------- */

static double dot(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void scale(real *to, const real *from, double factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)(factor * (double)from[i]);
}

// What of a vector lies in the level set.
static void take_tangent(const Curvature *curvature, real *vector)
{
    double part = dot(vector, curvature->normal, curvature->count);
    for (int64_t i = 0; i < curvature->count; i++)
        vector[i] = (real)((double)vector[i] - part * (double)curvature->normal[i]);
}

/* ---- one image ------------------------------------------------------------------------------- */

static void run(Curvature *curvature)
{
    size_t size = (size_t)curvature->count * sizeof(real);
    memcpy(plan_input(curvature->plan, curvature->nodes.image), curvature->image, size);
    memcpy(plan_input(curvature->plan, curvature->along), curvature->direction, size);
    plan_run(curvature->plan);
}

bool curvature_look(Curvature *curvature, CurvaturePoint *out, Error *error)
{
    int64_t count = curvature->count;
    run(curvature);
    const real *gradient = plan_output(curvature->plan, curvature->gradient);
    double      value    = (double)*plan_output(curvature->plan, curvature->value);
    double      slope    = sqrt(dot(gradient, gradient, count));
    if (!isfinite(value) || !isfinite(slope) || slope == 0)
        return fail(error, ERROR_DATA,
                    "the logit is %g and the length of its gradient %g: a level set has a normal "
                    "only where both are finite and the second is not 0",
                    value, slope);
    scale(curvature->normal, gradient, 1 / slope, count);
    *out = (CurvaturePoint){.value = value, .slope = slope};
    return true;
}

// bent = - P H v / |grad f|, for the v that the plan has run with.
static void bend(Curvature *curvature, double slope)
{
    const real *product = plan_output(curvature->plan, curvature->product);
    scale(curvature->bent, product, -1 / slope, curvature->count);
    take_tangent(curvature, curvature->bent);
}

// What two products in sequence leave, v1 = A v0 / |A v0|: all that their plane needs.
typedef struct Products {
    double size0, cosine; // |A v0|, v0'v1
    double size1, share;  // |A v1|, v1'A v1
} Products;

/* The best of the plane of v0 and v1 (K2): of its two eigenvalues the larger in size. Where A has
 * eigenvalues near l and near -l, products alone swing between them, and this parts them at once.
 * Returns the weight of v0 in the direction; that of v1 goes to *second. */
static double choose_in_plane(const Products *p, CurvaturePoint *point, double *second)
{
    double sine2 = 1 - p->cosine * p->cosine, first = 0;
    *second       = 1;
    point->lambda = p->share;
    double rest   = p->size1 * p->size1 - p->share * p->share;
    if (sine2 > 1e-4) { // else v0 and v1 are the same direction but for rounding
        double sine = sqrt(sine2), a = p->size0 * p->cosine, b = p->size0 * sine;
        double c      = (p->share - 2 * p->cosine * p->size0 + p->cosine * p->cosine * a) / sine2;
        double middle = (a + c) / 2, radius = hypot((a - c) / 2, b);
        point->lambda = middle + copysign(radius, middle);
        double x = b, y = point->lambda - a, size = hypot(x, y); // b > 0
        double across = (p->share - p->cosine * p->size0) / sine;
        *second       = y / size / sine;
        first         = x / size - p->cosine * *second;
        rest = *second * *second * (p->size1 * p->size1 - p->size0 * p->size0 - across * across);
    }
    point->residual = point->lambda != 0 ? sqrt(fmax(0, rest)) / fabs(point->lambda) : 0;
    return first;
}

// bent = A v with A = - P H P / |grad f|.
static void multiply(Curvature *curvature, CurvaturePoint *point, Products *p)
{
    run(curvature);
    bend(curvature, point->slope);
    p->size0  = p->size1;
    p->cosine = p->size1 > 0 ? p->share / p->size1 : 1;
    p->size1  = sqrt(dot(curvature->bent, curvature->bent, curvature->count));
    p->share  = dot(curvature->direction, curvature->bent, curvature->count);
    point->iterations++;
}

// Of length 1 and in the level set; false where nothing is left.
static bool straighten(const Curvature *curvature, real *vector)
{
    take_tangent(curvature, vector);
    double size = sqrt(dot(vector, vector, curvature->count));
    if (!(size > 0))
        return false;
    scale(vector, vector, 1 / size, curvature->count);
    return true;
}

// Goes on to the next direction, and keeps the last one. False where nothing bends.
static bool advance(Curvature *curvature)
{
    size_t size = (size_t)curvature->count * sizeof(real);
    memcpy(curvature->before, curvature->direction, size);
    memcpy(curvature->direction, curvature->bent, size);
    if (straighten(curvature, curvature->direction))
        return true;
    memcpy(curvature->direction, curvature->before, size);
    return false;
}

bool curvature_measure(Curvature *curvature, CurvaturePoint *out, Error *error)
{
    CurvaturePoint point;
    Products       products = {0};
    double         first = 0, second = 1;
    int            still = 0;
    if (!curvature_look(curvature, &point, error))
        return false;
    if (!straighten(curvature, curvature->direction)) {
        curvature_start(curvature, 0);
        straighten(curvature, curvature->direction);
    }
    while (still < 3 && point.iterations < CURVATURE_MOST_ITERATIONS) {
        double before = fabs(point.lambda);
        if (point.iterations && !advance(curvature))
            break;
        multiply(curvature, &point, &products);
        first = choose_in_plane(&products, &point, &second);
        if (!isfinite(point.lambda))
            return fail(error, ERROR_DATA, "a product with the Hessian is not finite");
        still = fabs(point.lambda) - before > curvature_tolerance * before ? 0 : still + 1;
    }
    for (int64_t i = 0; i < curvature->count; i++)
        curvature->direction[i] =
            (real)(first * (double)curvature->before[i] + second * (double)curvature->direction[i]);
    straighten(curvature, curvature->direction);
    *out = point;
    return true;
}

int64_t curvature_switches(Curvature *curvature)
{
    int32_t *kept  = curvature->choices;
    int64_t  count = 0;
    for (int i = 0; i < curvature->pool_count; i++) {
        const int32_t *found =
            (const int32_t *)(const void *)plan_output(curvature->plan, curvature->pools[i]);
        int64_t size = shape_elements(graph_shape(curvature->nodes.graph, curvature->pools[i]));
        for (int64_t k = 0; k < size; k++) {
            count += kept[k] != found[k];
            kept[k] = found[k];
        }
        kept += size;
    }
    return count;
}

/* ---- back to the level set ------------------------------------------------------------------- */

enum { NEWTON_STEPS = 30 };

bool curvature_project(Curvature *curvature, double level, Error *error)
{
    double close = 64 * (sizeof(real) == sizeof(float) ? (double)FLT_EPSILON : DBL_EPSILON) *
                   fmax(1, fabs(level));
    double miss = 0;
    for (int i = 0; i < NEWTON_STEPS; i++) {
        CurvaturePoint point;
        if (!curvature_look(curvature, &point, error))
            return false;
        miss = point.value - level;
        if (fabs(miss) <= close)
            return true;
        double step = miss / point.slope;
        for (int64_t k = 0; k < curvature->count; k++)
            curvature->image[k] =
                (real)((double)curvature->image[k] - step * (double)curvature->normal[k]);
    }
    return fail(error, ERROR_DATA,
                "no way back to the level set: after %d Newton steps the logit is %g off its level "
                "%g; take more and shorter steps",
                NEWTON_STEPS, miss, level);
}
