/* tests/check_inputs.c - what a run is given besides pictures: positions. */
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

SUITE(inputs)
{
    RUN(tokens_read_their_rows);
    RUN(words_that_are_not_read_have_no_gradient);
    RUN(gradients_of_a_table);
    RUN(single_numbers_by_position);
    RUN(positions_out_of_range_are_refused);
    RUN(positions_and_numbers_are_not_mixed_up);
}
