/* tests/check_inputs.c - what a run is given besides pictures: positions and single numbers. */
#include "check_difference.h"
#include "test.h"

#include <string.h>

/* ---- positions ------------------------------------------------------------------------------- */

enum { WORDS = 6, WIDTH = 4, TOKENS = 5 };

static const int32_t sentence[TOKENS] = {3, 0, 5, 3, 1}; // one word twice, two words never

/* A table of words, a sentence, and a number made of its embedding that is curved in the table. */
typedef struct Text {
    Graph *graph;
    Plan  *plan;
    NodeId table, tokens, rows, loss, first, slope, second;
} Text;

static void text_write(Text *t)
{
    static real weights[TOKENS * WIDTH], direction[WORDS * WIDTH];
    check_fill(weights, TOKENS * WIDTH, -1, 1, 1);
    check_fill(direction, WORDS * WIDTH, -1, 1, 2);
    Graph *g    = t->graph;
    Shape  many = shape_3d(1, TOKENS, WIDTH), all = shape_2d(WORDS, WIDTH);
    t->table    = op_input(g, all, "table");
    t->tokens   = op_index_input(g, shape_2d(1, TOKENS), WORDS, "tokens");
    t->rows     = op_gather_rows(g, t->table, t->tokens);
    NodeId cube = op_mul(g, t->rows, op_mul(g, t->rows, t->rows));
    t->loss     = op_dot(g, cube, op_parameter(g, many, weights));
    graph_gradient(g, t->loss, &t->table, 1, &t->first);
    t->slope = op_dot(g, t->first, op_parameter(g, all, direction));
    graph_gradient(g, t->slope, &t->table, 1, &t->second);
}

static bool text_open(Text *t)
{
    Error error = {0};
    if (!CHECK(graph_create(&t->graph, &error)))
        return false;
    text_write(t);
    NodeId outputs[] = {t->rows, t->loss, t->first, t->slope, t->second};
    if (!CHECK(plan_create(&t->plan, t->graph, outputs, 5, NULL, &error)))
        return false;
    check_fill(plan_input(t->plan, t->table), WORDS * WIDTH, -1, 1, 3);
    return CHECK(plan_set_index(t->plan, t->tokens, sentence, &error));
}

static void text_close(Text *t)
{
    plan_destroy(t->plan);
    graph_destroy(t->graph);
}

static void tokens_read_their_rows(void)
{
    Text t = {0};
    if (text_open(&t)) {
        plan_run(t.plan);
        for (int i = 0; i < TOKENS; i++)
            CHECK(memcmp(plan_output(t.plan, t.rows) + i * WIDTH,
                         plan_input(t.plan, t.table) + sentence[i] * WIDTH,
                         WIDTH * sizeof(real)) == 0);
    }
    text_close(&t);
}

static void words_that_are_not_read_have_no_gradient(void)
{
    Text t = {0};
    if (text_open(&t)) {
        plan_run(t.plan);
        for (int i = 0; i < WORDS * WIDTH; i++) // words 2 and 4 are not in the sentence
            CHECK((plan_output(t.plan, t.first)[i] == 0) == (i / WIDTH == 2 || i / WIDTH == 4));
    }
    text_close(&t);
}

static void gradients_of_a_table(void)
{
    Text t = {0};
    if (text_open(&t)) {
        Slope first = {t.loss, t.table, t.first, WORDS * WIDTH};
        CHECK(check_slope(t.plan, &first));
        Slope second = {t.slope, t.table, t.second, WORDS * WIDTH};
        if (check_slopes_are_exact())
            CHECK(check_slope(t.plan, &second));
    }
    text_close(&t);
}

static void single_numbers_by_position(void)
{
    static const int32_t positions[3] = {7, 0, 7};
    Graph               *g            = NULL;
    Plan                *plan         = NULL;
    NodeId               gradient     = NODE_NONE;
    REQUIRE(graph_create(&g, NULL));
    NodeId x = op_input(g, shape_2d(2, 4), "x"), i = op_index_input(g, shape_1d(3), 8, "i");
    NodeId y = op_gather(g, x, i);
    graph_gradient(g, op_dot(g, y, y), &x, 1, &gradient);
    if (CHECK(plan_create(&plan, g, (NodeId[]){y, gradient}, 2, NULL, NULL))) {
        for (int e = 0; e < 8; e++)
            plan_input(plan, x)[e] = (real)(e + 1);
        CHECK(plan_set_index(plan, i, positions, NULL));
        plan_run(plan);
        CHECK(plan_output(plan, y)[0] == 8 && plan_output(plan, y)[1] == 1);
        CHECK(plan_output(plan, gradient)[7] == 2 * (8 + 8)); // read twice
        CHECK(plan_output(plan, gradient)[0] == 2 && plan_output(plan, gradient)[3] == 0);
    }
    plan_destroy(plan);
    graph_destroy(g);
}

static void positions_out_of_range_are_refused(void)
{
    static const int32_t beyond[TOKENS] = {0, 0, 6, 0, 0}, before[TOKENS] = {0, 0, 0, 0, -1};
    Text                 t     = {0};
    Error                error = {0};
    if (text_open(&t)) {
        CHECK(!plan_set_index(t.plan, t.tokens, beyond, &error) && error.code == ERROR_DATA);
        CHECK(strstr(error.message, "position 2 is 6, expected 0 to 5"));
        CHECK(!plan_set_index(t.plan, t.tokens, before, NULL));
        plan_run(t.plan);
        CHECK(memcmp(plan_output(t.plan, t.rows), plan_input(t.plan, t.table) + 3 * WIDTH,
                     WIDTH * sizeof(real)) == 0); // still the sentence
    }
    text_close(&t);
}

/* One graph a claim: the first error sticks. */
static void check_refused(NodeId (*build)(Graph *graph), const char *message)
{
    Graph *g     = NULL;
    Error  error = {0};
    REQUIRE(graph_create(&g, NULL));
    CHECK(build(g) == NODE_NONE);
    CHECK(!graph_check(g, &error));
    CHECK(strstr(error.message, message));
    graph_destroy(g);
}

static NodeId exp_of_positions(Graph *g)
{
    return op_exp(g, op_index_input(g, shape_1d(3), 9, "i"));
}

static NodeId gather_by_numbers(Graph *g)
{
    return op_gather(g, op_input(g, shape_1d(9), "x"), op_input(g, shape_1d(3), "i"));
}

static NodeId gather_beyond_the_table(Graph *g)
{
    NodeId table = op_input(g, shape_2d(8, 2), "x");
    return op_gather_rows(g, table, op_index_input(g, shape_1d(3), 9, "i"));
}

static NodeId rows_of_a_vector(Graph *g)
{
    NodeId vector = op_input(g, shape_1d(9), "x");
    return op_gather_rows(g, vector, op_index_input(g, shape_1d(3), 9, "i"));
}

static NodeId empty_range(Graph *g)
{
    return op_index_input(g, shape_1d(3), 0, "i");
}

static void positions_and_numbers_are_not_mixed_up(void)
{
    check_refused(exp_of_positions, "exp: input 0 holds positions, expected numbers");
    check_refused(gather_by_numbers, "gather: input 1 holds numbers, expected positions");
    check_refused(gather_beyond_the_table, "gather: positions go up to 8, 8x2 has 8");
    check_refused(rows_of_a_vector, "gather: 9 by index 3 is not possible");
    check_refused(empty_range, "an index of positions below 0 cannot be");
}

/* ---- one number for a whole run -------------------------------------------------------------- */

/* A network with softplus, its gradient map, and the gradient of a number made of that map. */
typedef struct Smooth {
    Graph *graph;
    Plan  *plan;
    NodeId image, beta, output[3];
} Smooth;

enum { SMOOTH_SIDE = 7, SMOOTH_PIXELS = 2 * SMOOTH_SIDE * SMOOTH_SIDE };

static NodeId smooth_activation(Smooth *s, NodeId x, real fixed)
{
    return s->beta == NODE_NONE ? op_softplus(s->graph, x, fixed)
                                : op_softplus_by(s->graph, x, s->beta);
}

/* fixed > 0: beta is built in, else it is an input. */
static bool smooth_open(Smooth *s, real fixed)
{
    static real weights[2][3 * 3 * 3 * 3];
    if (!CHECK(graph_create(&s->graph, NULL)))
        return false;
    Graph *g = s->graph;
    check_fill(weights[0], 54, -1, 1, 11);
    check_fill(weights[1], 81, -1, 1, 12);
    s->beta      = fixed > 0 ? NODE_NONE : op_scalar_input(g, 2, "beta");
    s->image     = op_input(g, shape_4d(1, 2, SMOOTH_SIDE, SMOOTH_SIDE), "image");
    NodeId w0    = op_parameter(g, shape_4d(3, 2, 3, 3), weights[0]);
    NodeId w1    = op_parameter(g, shape_4d(3, 3, 3, 3), weights[1]);
    NodeId x     = smooth_activation(s, op_conv2d(g, s->image, w0, 1, 1), fixed);
    s->output[0] = smooth_activation(s, op_conv2d(g, op_maxpool(g, x, 2, 2, 0), w1, 1, 1), fixed);
    graph_gradient(g, op_sum(g, s->output[0]), &s->image, 1, &s->output[1]);
    NodeId curve = op_dot(g, s->output[1], s->output[1]);
    graph_gradient(g, curve, &s->image, 1, &s->output[2]);
    if (!CHECK(plan_create(&s->plan, g, s->output, 3, NULL, NULL)))
        return false;
    check_fill(plan_input(s->plan, s->image), SMOOTH_PIXELS, -1, 1, 13);
    return true;
}

static void smooth_close(Smooth *s)
{
    plan_destroy(s->plan);
    graph_destroy(s->graph);
}

static bool smooth_equal(const Smooth *a, const Smooth *b)
{
    bool equal = true;
    for (int i = 0; i < 3; i++) {
        size_t count = (size_t)shape_elements(graph_shape(a->graph, a->output[i]));
        equal        = equal && memcmp(plan_output(a->plan, a->output[i]),
                                       plan_output(b->plan, b->output[i]), count * sizeof(real)) == 0;
    }
    return equal;
}

static void a_beta_of_a_run_has_the_bits_of_one_built_in(void)
{
    static const real betas[4] = {(real)0.8, 10, 100, (real)0.8}; // there and back
    Smooth            run      = {0};
    if (smooth_open(&run, 0))
        for (int i = 0; i < 4; i++) {
            Smooth built = {0};
            if (smooth_open(&built, betas[i])) {
                plan_set_scalar(run.plan, run.beta, betas[i]);
                plan_run(run.plan);
                plan_run(built.plan);
                CHECK(smooth_equal(&run, &built));
            }
            smooth_close(&built);
        }
    smooth_close(&run);
}

static void a_scalar_begins_with_its_value(void)
{
    Smooth run = {0}, built = {0};
    if (smooth_open(&run, 0) && smooth_open(&built, 2)) {
        plan_run(run.plan);
        plan_run(built.plan);
        CHECK(smooth_equal(&run, &built));
        plan_set_scalar(run.plan, run.beta, 3);
        plan_run(run.plan);
        CHECK(!smooth_equal(&run, &built));
    }
    smooth_close(&run);
    smooth_close(&built);
}

/* A number that dies at its reader may take as many bytes as what it is read for. */
static void a_computed_number_is_not_overwritten(void)
{
    Graph *g    = NULL;
    Plan  *plan = NULL;
    REQUIRE(graph_create(&g, NULL));
    NodeId x = op_input(g, shape_1d(5), "x"), b = op_scalar_input(g, 3, "b");
    NodeId y = op_scale_by(g, x, op_mul(g, b, b));
    if (CHECK(plan_create(&plan, g, &y, 1, NULL, NULL))) {
        for (int i = 0; i < 5; i++)
            plan_input(plan, x)[i] = (real)(i + 1);
        plan_run(plan);
        for (int i = 0; i < 5; i++)
            CHECK(plan_output(plan, y)[i] == (real)(9 * (i + 1)));
    }
    plan_destroy(plan);
    graph_destroy(g);
}

static NodeId softplus_by_a_vector(Graph *g)
{
    return op_softplus_by(g, op_input(g, shape_1d(3), "x"), op_input(g, shape_1d(1), "beta"));
}

static void only_a_scalar_is_one_number(void)
{
    check_refused(softplus_by_a_vector, "an op by one number: found 1, expected a scalar");
}

SUITE(inputs)
{
    RUN(a_beta_of_a_run_has_the_bits_of_one_built_in);
    RUN(a_scalar_begins_with_its_value);
    RUN(a_computed_number_is_not_overwritten);
    RUN(only_a_scalar_is_one_number);
    RUN(tokens_read_their_rows);
    RUN(words_that_are_not_read_have_no_gradient);
    RUN(gradients_of_a_table);
    RUN(single_numbers_by_position);
    RUN(positions_out_of_range_are_refused);
    RUN(positions_and_numbers_are_not_mixed_up);
}
