/* tests/check_curvature.c - principal curvature against closed forms and against all eigenvalues of
 * a Hessian; theorem 1 along paths; theorem 2 by drawn noise. */
#include "../attribution/curvature_path.h"
#include "check_difference.h"
#include "check_toy.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Play {
    Graph    *graph;
    NodeId    beta;
    Curvature curvature;
} Play;

/* The logits of an image [1, c, h, w], with softplus of the play's beta. */
typedef NodeId BuildLogits(Graph *g, NodeId image, NodeId *beta);

static void play_close(Play *play)
{
    curvature_close(&play->curvature);
    graph_destroy(play->graph);
}

static bool play_open(Play *play, BuildLogits *build, int64_t channels, int64_t side, double beta)
{
    Error error = {0};
    *play       = (Play){.beta = NODE_NONE};
    if (!CHECK(graph_create(&play->graph, NULL)))
        return false;
    Graph *g             = play->graph;
    play->beta           = op_scalar_input(g, 1, "beta");
    NodeId         image = op_input(g, shape_4d(1, channels, side, side), "image");
    CurvatureNodes nodes = {g, image, build(g, image, &play->beta), play->beta};
    if (!CHECK(curvature_open(&play->curvature, &nodes, NULL, &error)))
        return false;
    curvature_choose(&play->curvature, 0, beta);
    curvature_start(&play->curvature, 1);
    return true;
}

static void put(Play *play, const double *image)
{
    for (int64_t i = 0; i < play->curvature.count; i++)
        play->curvature.image[i] = (real)image[i];
}

static double close_to(double in_double, double in_float)
{
    return check_slopes_are_exact() ? in_double : in_float;
}

static double length_of(const real *vector, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)vector[i] * (double)vector[i];
    return sqrt(sum);
}

/* ---- surfaces one knows ---------------------------------------------------------------------- */

// beta x'x: spheres, whose normal points outwards.
static NodeId build_sphere(Graph *g, NodeId image, NodeId *beta)
{
    return op_reshape(g, op_scale_by(g, op_dot(g, image, image), *beta), shape_2d(1, 1));
}

static void a_sphere_bends_by_its_radius(void)
{
    Play           play;
    CurvaturePoint point;
    double         image[4] = {1, 2, -2, 4}; // of length 5
    if (play_open(&play, build_sphere, 4, 1, 3)) {
        put(&play, image);
        CHECK(curvature_measure(&play.curvature, &point, NULL));
        CHECK_CLOSE(point.lambda, -0.2, 1e-6);
        CHECK_CLOSE(point.slope, 30, 1e-5);
        CHECK_CLOSE(length_of(play.curvature.direction, 4), 1, 1e-6);
        CHECK(point.residual < close_to(1e-7, 1e-3));
    }
    play_close(&play);
}

// beta (x0^2 - 0.9999 x1^2) / 2 + x2: at 0 its curvatures are -beta and 0.9999 beta.
static NodeId build_saddle(Graph *g, NodeId image, NodeId *beta)
{
    static const real signs[3] = {1, (real)-0.9999, 0}, third[3] = {0, 0, 1};
    Shape             shape  = graph_shape(g, image);
    NodeId            bent   = op_mul(g, image, op_parameter(g, shape, signs));
    NodeId            square = op_scale(g, op_dot(g, bent, image), (real)0.5);
    NodeId            rest   = op_dot(g, image, op_parameter(g, shape, third));
    return op_reshape(g, op_add(g, op_scale_by(g, square, *beta), rest), shape_2d(1, 1));
}

// Where products alone would swing between the two directions for thousands of times.
static void curvatures_of_both_signs_are_told_apart(void)
{
    Play           play;
    CurvaturePoint point;
    double         image[3] = {0, 0, 0};
    if (play_open(&play, build_saddle, 3, 1, 4)) {
        put(&play, image);
        CHECK(curvature_measure(&play.curvature, &point, NULL));
        CHECK_CLOSE(point.lambda, -4, 1e-5);
        CHECK(point.iterations < 10);
        CHECK(fabs(fabs((double)play.curvature.direction[0]) - 1) < 1e-5);
    }
    play_close(&play);
}

static void a_plane_does_not_bend(void)
{
    Play           play;
    CurvaturePoint point;
    double         image[3] = {0, 0, 5};
    if (play_open(&play, build_saddle, 3, 1, 0)) {
        put(&play, image);
        CHECK(curvature_measure(&play.curvature, &point, NULL));
        CHECK(point.lambda == 0 && point.residual == 0);
        CHECK_CLOSE(length_of(play.curvature.direction, 3), 1, 1e-6);
    }
    play_close(&play);
}

static void without_a_gradient_there_is_no_normal(void)
{
    Play           play;
    CurvaturePoint point;
    Error          error    = {0};
    double         image[4] = {0, 0, 0, 0};
    if (play_open(&play, build_sphere, 4, 1, 1)) {
        put(&play, image);
        CHECK(!curvature_measure(&play.curvature, &point, &error));
        CHECK(error.code == ERROR_DATA && strstr(error.message, "has a normal only where"));
        put(&play, (const double[]){1, 0, 0, 0});
        error = (Error){0};
        CHECK(!curvature_project(&play.curvature, -1, &error)); // no x has x'x = -1
        CHECK(error.code == ERROR_DATA);
    }
    play_close(&play);
}

/* ---- two dimensions -------------------------------------------------------------------------- */

enum { HIDDEN = 50 };

static real inner[HIDDEN][2], outer[HIDDEN];

// V' phi(W' x), all weights uniform in -1..1.
static NodeId build_picture(Graph *g, NodeId image, NodeId *beta)
{
    Random random = random_stream(24, "picture");
    for (int i = 0; i < 3 * HIDDEN; i++) {
        real value = (real)(2 * random_unit_open(random_below(&random, UINT32_MAX)) - 1);
        if (i < 2 * HIDDEN)
            inner[i / 2][i % 2] = value;
        else
            outer[i - 2 * HIDDEN] = value;
    }
    NodeId x = op_reshape(g, image, shape_2d(1, 2));
    x        = op_matmul(g, x, op_parameter(g, shape_2d(HIDDEN, 2), &inner[0][0]), false, true);
    x        = op_softplus_by(g, x, *beta);
    return op_matmul(g, x, op_parameter(g, shape_2d(HIDDEN, 1), outer), false, false);
}

// Of a curve in the plane, from the second derivatives of the formula (K6).
static double plane_curvature(const double x[2], double beta)
{
    double g[2] = {0}, h[3] = {0};
    for (int i = 0; i < HIDDEN; i++) {
        double a = (double)inner[i][0], b = (double)inner[i][1];
        double s = 1 / (1 + exp(-beta * (a * x[0] + b * x[1]))), bend = beta * s * (1 - s);
        g[0] += (double)outer[i] * s * a;
        g[1] += (double)outer[i] * s * b;
        h[0] += (double)outer[i] * bend * a * a;
        h[1] += (double)outer[i] * bend * a * b;
        h[2] += (double)outer[i] * bend * b * b;
    }
    return -(g[1] * g[1] * h[0] - 2 * g[0] * g[1] * h[1] + g[0] * g[0] * h[2]) /
           pow(g[0] * g[0] + g[1] * g[1], 1.5);
}

static void in_the_plane_it_is_the_closed_form(void)
{
    double least = 0, most = 0;
    for (double beta = 1; beta <= 10; beta *= 10) {
        Play play;
        if (play_open(&play, build_picture, 2, 1, beta))
            for (int i = 0; i < 49; i++) {
                CurvaturePoint point;
                double         x[2]   = {(i % 7 - 3) / 3.0 + 0.01, (i / 7 - 3) / 3.0 - 0.02};
                double         wanted = plane_curvature(x, beta);
                put(&play, x);
                CHECK(curvature_measure(&play.curvature, &point, NULL));
                CHECK_CLOSE(point.lambda, wanted, close_to(1e-9, 2e-4) * fmax(1, fabs(wanted)));
                least = fmin(least, wanted), most = fmax(most, wanted);
            }
        play_close(&play);
    }
    CHECK(least < -0.1 && most > 0.1); // both signs were there
}

/* ---- a network, all eigenvalues -------------------------------------------------------------- */

static NodeId build_toy(Graph *g, NodeId image, NodeId *beta)
{
    MapNetwork network = toy_network(beta);
    NodeId     logits  = NODE_NONE;
    CHECK(network.build(network.self, g, image, &logits, NULL));
    return logits;
}

// Eigenvalues of a symmetric matrix by Jacobi's rotations; they end on its diagonal.
static void rotate_all(double *m, int n)
{
    for (int sweep = 0; sweep < 20; sweep++)
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                double angle = atan2(2 * m[p * n + q], m[q * n + q] - m[p * n + p]) / 2;
                double c = cos(angle), s = sin(angle);
                for (int k = 0; k < n; k++) {
                    double a = m[k * n + p], b = m[k * n + q];
                    m[k * n + p] = c * a - s * b, m[k * n + q] = s * a + c * b;
                }
                for (int k = 0; k < n; k++) {
                    double a = m[p * n + k], b = m[q * n + k];
                    m[p * n + k] = c * a - s * b, m[q * n + k] = s * a + c * b;
                }
            }
}

// The gradient of the logit at what the image holds.
static const real *gradient_at(Curvature *curvature)
{
    CurvaturePoint point;
    CHECK(curvature_look(curvature, &point, NULL));
    return plan_output(curvature->plan, curvature->gradient);
}

// Column by column, from differences of the gradient: no second derivative is used.
static void difference_hessian(Curvature *curvature, double *h)
{
    double step = close_to(1e-5, 1e-2);
    for (int i = 0; i < PIXELS; i++) {
        real middle = curvature->image[i];
        for (int side = -1; side <= 1; side += 2) {
            curvature->image[i] = (real)((double)middle + side * step);
            const real *slope   = gradient_at(curvature);
            for (int k = 0; k < PIXELS; k++)
                h[k * PIXELS + i] =
                    (side < 0 ? 0 : h[k * PIXELS + i]) + side * (double)slope[k] / (2 * step);
        }
        curvature->image[i] = middle;
    }
}

static void eigenvalues_of_the_whole_hessian_agree(void)
{
    static double h[PIXELS * PIXELS], half[PIXELS * PIXELS], p[PIXELS * PIXELS];
    Play          play;
    if (play_open(&play, build_toy, 2, SIDE, 10)) {
        CurvaturePoint point;
        toy_image(0.02, play.curvature.image);
        CHECK(curvature_measure(&play.curvature, &point, NULL));
        difference_hessian(&play.curvature, h);
        gradient_at(&play.curvature);
        for (int i = 0; i < PIXELS * PIXELS; i++)
            p[i] = (i % (PIXELS + 1) == 0) - (double)play.curvature.normal[i / PIXELS] *
                                                 (double)play.curvature.normal[i % PIXELS];
        for (int pass = 0; pass < 2; pass++) // P H, then P (P H)'
            for (int i = 0; i < PIXELS; i++)
                for (int k = 0; k < PIXELS; k++) {
                    double sum = 0;
                    for (int j = 0; j < PIXELS; j++)
                        sum +=
                            p[i * PIXELS + j] * (pass ? half[k * PIXELS + j] : h[j * PIXELS + k]);
                    if (pass)
                        h[i * PIXELS + k] = -sum / point.slope;
                    else
                        half[i * PIXELS + k] = sum;
                }
        rotate_all(h, PIXELS);
        double largest = 0;
        for (int i = 0; i < PIXELS; i++)
            if (fabs(h[i * (PIXELS + 1)]) > fabs(largest))
                largest = h[i * (PIXELS + 1)];
        CHECK(fabs(largest) > 0.01);
        if (!CHECK(fabs(point.lambda - largest) < close_to(2e-4, 1e-2) * fabs(largest)))
            printf("  %.9g by products, %.9g of all\n", point.lambda, largest);
        CHECK(fabs(point.lambda) < fabs(largest) * (1 + close_to(1e-6, 1e-2))); // from below
    }
    play_close(&play);
}

static void products_are_slopes_of_the_gradient(void)
{
    Play play;
    if (!check_slopes_are_exact())
        SKIP("slopes of gradients need doubles");
    if (play_open(&play, build_toy, 2, SIDE, 10)) {
        Curvature *curvature = &play.curvature;
        Graph     *g         = play.graph;
        Plan      *plan      = NULL;
        NodeId     slope     = op_dot(g, curvature->gradient, curvature->along);
        NodeId     nodes[]   = {slope, curvature->product};
        if (CHECK(plan_create(&plan, g, nodes, 2, NULL, NULL))) {
            toy_image(0.02, plan_input(plan, curvature->nodes.image));
            memcpy(plan_input(plan, curvature->along), curvature->direction, PIXELS * sizeof(real));
            plan_input(plan, curvature->target)[0] = 1;
            plan_set_scalar(plan, play.beta, 10);
            CHECK(check_slope(plan,
                              &(Slope){slope, curvature->nodes.image, curvature->product, PIXELS}));
        }
        plan_destroy(plan);
    }
    play_close(&play);
}

/* ---- theorem 1 ------------------------------------------------------------------------------- */

static void check_path(BuildLogits *build, int64_t channels, int64_t side, double beta,
                       const real *start, const real *end)
{
    Play          play;
    CurvaturePath path = {0};
    if (play_open(&play, build, channels, side, beta) &&
        CHECK(curvature_path_open(&path, &play.curvature, end, 40, NULL))) {
        double level, farthest = 0;
        CHECK(curvature_path_begin(&path, start, 7, NULL));
        level = path.row.point.value;
        for (int i = 0; i < 40; i++) {
            double before = path.row.path_length;
            if (!CHECK(curvature_path_step(&path, NULL)))
                break;
            CHECK(path.row.path_length > before);
            CHECK(fabs(path.row.point.value - level) < close_to(1e-12, 1e-4));
            farthest = fmax(farthest, path.row.distance);
            if (path.row.switches)
                break;
            CHECK(path.row.distance <= path.row.integral * (1 + curvature_allowance));
        }
        CHECK(farthest > 0.01);
    }
    curvature_path_close(&path);
    play_close(&play);
}

static void normals_turn_no_more_than_curvature_allows(void)
{
    static const real corner[2] = {(real)-0.6, (real)0.5}, other[2] = {(real)0.4, (real)-0.2};
    for (double beta = 1; beta <= 10; beta *= 10) {
        check_path(build_picture, 2, 1, beta, corner, NULL);
        check_path(build_picture, 2, 1, beta, corner, other);
    }
    real start[PIXELS], end[PIXELS];
    toy_image(0, start);
    toy_image(0.2, end);
    check_path(build_toy, 2, SIDE, 10, start, NULL);
    check_path(build_toy, 2, SIDE, 10, start, end);
}

// On a sphere every path is followed exactly: the normal is the point itself, divided by the radius.
static void the_bound_is_tight_on_a_sphere(void)
{
    static const real start[4] = {3, 0, 4, 0};
    Play              play;
    CurvaturePath     path = {0};
    if (play_open(&play, build_sphere, 4, 1, 1) &&
        CHECK(curvature_path_open(&path, &play.curvature, NULL, 20, NULL)) &&
        CHECK(curvature_path_begin(&path, start, 7, NULL))) {
        for (int i = 0; i < 20; i++)
            CHECK(curvature_path_step(&path, NULL));
        CHECK_CLOSE(path.row.integral, path.row.path_length / 5, 1e-5);
        CHECK(path.row.distance <= path.row.integral * (1 + 1e-6));
        CHECK(path.row.distance > 0);
    }
    curvature_path_close(&path);
    play_close(&play);
}

/* ---- theorem 2 ------------------------------------------------------------------------------- */

enum { DRAWS = 40000, INPUTS = 3 };

// Gradients of relu(w'(x - noise)) for every draw, by the engine.
static double mean_open(const real *w, const double *x, double beta, uint64_t seed)
{
    Graph *g    = NULL;
    Plan  *plan = NULL;
    double sum = 0, norm = 0;
    Random random = random_stream(seed, "logistic");
    NodeId slope;
    if (!CHECK(graph_create(&g, NULL)))
        return 0;
    NodeId point = op_input(g, shape_2d(DRAWS, INPUTS), "points");
    NodeId value = op_sum(
        g, op_relu(g, op_matmul(g, point, op_parameter(g, shape_2d(1, INPUTS), w), false, true)));
    graph_gradient(g, value, &point, 1, &slope);
    for (int k = 0; k < INPUTS; k++)
        norm += (double)w[k] * (double)w[k];
    norm = sqrt(norm);
    if (CHECK(plan_create(&plan, g, &slope, 1, NULL, NULL))) {
        real *to = plan_input(plan, point);
        for (int i = 0; i < DRAWS; i++) { // logistic along w, by its distribution function
            double u = random_unit_open(random_below(&random, UINT32_MAX));
            double e = log(u / (1 - u)) / beta;
            for (int k = 0; k < INPUTS; k++)
                to[i * INPUTS + k] = (real)(x[k] - e * (double)w[k] / norm);
        }
        plan_run(plan);
        for (int i = 0; i < DRAWS; i++)
            sum += (double)plan_output(plan, slope)[i * INPUTS] / (double)w[0];
    }
    plan_destroy(plan);
    graph_destroy(g);
    return sum / DRAWS; // the share of w that is the gradient
}

// The gradient of softplus with beta / |w|, as a share of w, by the engine.
static double smooth_share(const real *w, const double *x, double beta)
{
    Graph *g     = NULL;
    Plan  *plan  = NULL;
    double share = 0;
    NodeId slope;
    if (!CHECK(graph_create(&g, NULL)))
        return 0;
    NodeId point = op_input(g, shape_2d(1, INPUTS), "point");
    NodeId inner_product =
        op_matmul(g, point, op_parameter(g, shape_2d(1, INPUTS), w), false, true);
    NodeId value = op_sum(g, op_softplus(g, inner_product, (real)(beta / length_of(w, INPUTS))));
    graph_gradient(g, value, &point, 1, &slope);
    if (CHECK(plan_create(&plan, g, &slope, 1, NULL, NULL))) {
        for (int k = 0; k < INPUTS; k++)
            plan_input(plan, point)[k] = (real)x[k];
        plan_run(plan);
        share = (double)plan_output(plan, slope)[0] / (double)w[0];
    }
    plan_destroy(plan);
    graph_destroy(g);
    return share;
}

static void logistic_noise_makes_a_step_a_softplus(void)
{
    static const real w[INPUTS] = {(real)1.5, (real)-2, (real)0.5};
    for (int i = 0; i < 8; i++) {
        double beta = i % 2 ? 0.8 : 3, x[INPUTS] = {0.2 * i - 0.5, 0.1, 0.3 - 0.05 * i};
        double wanted = smooth_share(w, x, beta);
        double found  = mean_open(w, x, beta, (uint64_t)i);
        double error  = sqrt(wanted * (1 - wanted) / DRAWS); // of the mean of a draw that is 0 or 1
        CHECK(wanted > 0.05 && wanted < 0.95);
        if (!CHECK(fabs(found - wanted) < 3 * error))
            printf("  %g drawn, %g expected, standard error %g\n", found, wanted, error);
        // Twice the beta is another number, so that the check can fail.
        if (fabs(wanted - 0.5) > 0.1)
            CHECK(fabs(found - smooth_share(w, x, 2 * beta)) > 3 * error);
    }
}

// Normal noise with the deviation of (K8): equal at 0, and nowhere far away.
static void normal_noise_is_nearly_logistic(void)
{
    double beta = 2, sigma = log(2) * sqrt(2 * acos(-1)) / beta, largest = 0;
    CHECK_CLOSE(sigma / sqrt(2 * acos(-1)), log(2) / beta, 1e-12); // E max(0, noise), softplus(0)
    for (double t = -8; t <= 8; t += 0.01)
        largest = fmax(largest, fabs(erfc(-t / (sigma * sqrt(2))) / 2 - 1 / (1 + exp(-beta * t))));
    CHECK(largest > 0.010 && largest < 0.015);
}

SUITE(curvature)
{
    RUN(a_sphere_bends_by_its_radius);
    RUN(curvatures_of_both_signs_are_told_apart);
    RUN(a_plane_does_not_bend);
    RUN(without_a_gradient_there_is_no_normal);
    RUN(in_the_plane_it_is_the_closed_form);
    RUN(products_are_slopes_of_the_gradient);
    RUN(eigenvalues_of_the_whole_hessian_agree);
    RUN(normals_turn_no_more_than_curvature_allows);
    RUN(the_bound_is_tight_on_a_sphere);
    RUN(logistic_noise_makes_a_step_a_softplus);
    RUN(normal_noise_is_nearly_logistic);
}
