/* tests/test_window.c - PGD through a window gives the perturbation of PGD on the whole image. */
#include "test.h"
#include "../attack/window.h"

#include <string.h>

enum { SIDE = 96, CELLS = SIDE / 2, BATCH = 1, MOST_WIDTH = 24 };

static real kernels_data[3 * MOST_WIDTH * 9 + MOST_WIDTH * 9];

typedef struct Net {
    Graph *graph;
    NodeId pixels, layer, weights;
    Pgd   *pgd;
} Net;

/* conv, relu, pool, conv: with few channels by the direct path, with many by Winograd. */
static bool net_open(Net *net, int channels, int64_t height, int64_t width)
{
    Random random = random_stream(test_seed(), "window");
    for (size_t i = 0; i < sizeof kernels_data / sizeof *kernels_data; i++)
        kernels_data[i] = (real)random_unit(random_word(&random)) - (real)0.5;
    if (!graph_create(&net->graph, NULL))
        return false;
    Graph *g     = net->graph;
    NodeId first = op_parameter(g, shape_4d(channels, 3, 3, 3), kernels_data);
    NodeId last  = op_parameter(g, shape_4d(1, channels, 3, 3), kernels_data + 3 * MOST_WIDTH * 9);
    net->pixels  = op_input(g, shape_4d(BATCH, 3, height, width), "pixels");
    NodeId x     = op_relu(g, op_conv2d(g, net->pixels, first, 1, 1));
    net->layer   = op_conv2d(g, op_maxpool(g, x, 2, 2, 0), last, 1, 1);
    net->weights = op_input(g, graph_shape(g, net->layer), "weights");
    return pgd_create(&net->pgd, g, net->pixels, op_dot(g, net->layer, net->weights), NULL, NULL);
}

static void net_close(Net *net)
{
    pgd_destroy(net->pgd);
    graph_destroy(net->graph);
}

static WindowGrid grid_of(const Net *net)
{
    WindowGrid grid = {SIDE, SIDE, CELLS, CELLS, false, {{0, 0, 0}, {0, 0, 0}}};
    grid.has_field  = graph_field(net->graph, net->pixels, net->layer, grid.field);
    return grid;
}

static void perturb_whole(Net *net, const float *weights, real *pixels)
{
    PgdRule rule  = {PGD_STEPS, (real)0.03, 5};
    real   *input = plan_input(pgd_plan(net->pgd), net->weights);
    for (int i = 0; i < CELLS * CELLS; i++)
        input[i] = weights[i];
    CHECK(pgd_run(net->pgd, &rule, pixels, NULL, NULL));
}

static void perturb_window(const WindowGrid *grid, int channels, const float *weights, real *pixels,
                           Window *window)
{
    Net     net  = {0};
    PgdRule rule = {PGD_STEPS, (real)0.03, 5};
    real   *view = memory_new(3 * SIDE * SIDE, sizeof *view, NULL);
    *window      = window_of(grid, weights);
    int64_t h = window->height, w = window->width;
    if (CHECK(net_open(&net, channels, h, w))) {
        Shape map   = graph_shape(net.graph, net.layer);
        real *input = plan_input(pgd_plan(net.pgd), net.weights);
        for (int64_t i = 0; i < map.dim[2]; i++)
            for (int64_t j = 0; j < map.dim[3]; j++)
                input[i * map.dim[3] + j] = weights[(window_first_row(grid, window) + i) * CELLS +
                                                    window_first_col(grid, window) + j];
        for (int64_t c = 0; c < 3; c++)
            for (int64_t y = 0; y < h; y++)
                memcpy(view + (c * h + y) * w,
                       pixels + (c * SIDE + window->y + y) * SIDE + window->x,
                       (size_t)w * sizeof *view);
        CHECK(pgd_run(net.pgd, &rule, view, NULL, NULL));
        for (int64_t c = 0; c < 3; c++)
            for (int64_t y = 0; y < h; y++)
                memcpy(pixels + (c * SIDE + window->y + y) * SIDE + window->x,
                       view + (c * h + y) * w, (size_t)w * sizeof *view);
    }
    net_close(&net);
    memory_free(view);
}

/* The pixels of the window that no weight reaches stay, as those outside of it. */
static void check_windows(int channels)
{
    static const int cells[][3] = {
        {0, 0, 3}, {CELLS - 4, 20, 4}, {21, CELLS - 1, 1}, {10, 12, 20}, {0, 0, CELLS}};
    Net whole = {0};
    REQUIRE(net_open(&whole, channels, SIDE, SIDE));
    WindowGrid grid = grid_of(&whole);
    REQUIRE(grid.has_field);
    int smaller = 0;
    for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
        float *weights = memory_new(CELLS * CELLS, sizeof *weights, NULL);
        real  *a       = memory_new(3 * SIDE * SIDE, sizeof *a, NULL),
             *b        = memory_new(3 * SIDE * SIDE, sizeof *b, NULL);
        Random random  = random_stream(test_seed() + k, "window pixels");
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            a[i] = b[i] = (real)random_unit(random_word(&random));
        for (int i = cells[k][0]; i < cells[k][0] + cells[k][2] && i < CELLS; i++)
            for (int j = cells[k][1]; j < cells[k][1] + cells[k][2] && j < CELLS; j++)
                weights[i * CELLS + j] = (i + j) % 3 ? 0.25f : -0.5f;
        Window window;
        perturb_whole(&whole, weights, a);
        perturb_window(&grid, channels, weights, b, &window);
        smaller += window.height < SIDE || window.width < SIDE;
        CHECK(!memcmp(a, b, 3 * SIDE * SIDE * sizeof *a));
        memory_free(weights);
        memory_free(a);
        memory_free(b);
    }
    CHECK(smaller >= 3); // or nothing was saved
    net_close(&whole);
}

static void windows_give_the_same_bits(void)
{
    check_windows(8);
}

static void windows_of_winograd_give_the_same_bits(void)
{
    check_windows(MOST_WIDTH);
}

SUITE(window)
{
    RUN(windows_give_the_same_bits);
    RUN(windows_of_winograd_give_the_same_bits);
}
