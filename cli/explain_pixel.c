/* cli/explain_pixel.c - every product behind one activation. */
#include "../models/models.h"
#include "../probe/picture.h"
#include "explain.h"
#include "output.h"
#include "outputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One tap of a kernel on one input channel; taps on the padding see zero. */
typedef struct Product {
    int64_t channel, row, column; // of the input
    int64_t tap_row, tap_column;
    real    weight, input;
    double  contribution;
} Product;

typedef struct PixelSum {
    int64_t    unit, y, x;
    ChannelSum sum;
    Product   *products; // highest contribution first
    int64_t    product_count;
    double     of_products, bias, carried, total; // total: after the activation
    double     found;                             // what the network gave
} PixelSum;

static int by_contribution(const void *a, const void *b)
{
    const Product *first = a, *second = b;
    if (first->contribution != second->contribution)
        return first->contribution < second->contribution ? 1 : -1;
    if (first->channel != second->channel)
        return first->channel < second->channel ? -1 : 1;
    int64_t apart =
        (first->tap_row - second->tap_row) * 64 + first->tap_column - second->tap_column;
    return apart < 0 ? -1 : apart > 0;
}

static void add_products(PixelSum *pixel, const SumTerm *term, Shape input, const real *values)
{
    values += term->channel * input.dim[2] * input.dim[3];
    for (int64_t c = 0; c < term->channels; c++)
        for (int64_t r = 0; r < term->rows; r++)
            for (int64_t s = 0; s < term->columns; s++) {
                int64_t row    = pixel->y * term->stride - term->pad + r;
                int64_t column = pixel->x * term->stride - term->pad + s;
                bool    inside =
                    row >= 0 && row < input.dim[2] && column >= 0 && column < input.dim[3];
                real weight = term->weights[(c * term->rows + r) * term->columns + s];
                real value  = inside ? values[(c * input.dim[2] + row) * input.dim[3] + column] : 0;
                Product *product = &pixel->products[pixel->product_count++];
                *product         = (Product){term->channel + c,
                                             row,
                                             column,
                                             r,
                                             s,
                                             weight,
                                             value,
                                             (double)weight * (double)value};
                pixel->of_products += product->contribution;
            }
}

// Evaluates every term at the place and applies the activation.
static bool evaluate(PixelSum *pixel, const Graph *graph, const Plan *plan, Error *error)
{
    const ChannelSum *sum  = &pixel->sum;
    size_t            most = 0;
    for (int i = 0; i < sum->count; i++)
        most += (size_t)(sum->term[i].channels * sum->term[i].rows * sum->term[i].columns);
    pixel->products = memory_new(most, sizeof *pixel->products, error);
    if (!pixel->products)
        return false;
    for (int i = 0; i < sum->count; i++) {
        const SumTerm *term = &sum->term[i];
        Shape          in   = graph_shape(graph, term->node);
        if (term->kind == SUM_BIAS)
            pixel->bias += (double)term->value;
        else if (term->kind == SUM_CONVOLUTION)
            add_products(pixel, term, in, plan_output(plan, term->node));
        else
            pixel->carried += (double)plan_output(
                plan, term->node)[(term->channel * in.dim[2] + pixel->y) * in.dim[3] + pixel->x];
    }
    qsort(pixel->products, (size_t)pixel->product_count, sizeof *pixel->products, by_contribution);
    double before = pixel->of_products + pixel->bias + pixel->carried;
    double beta   = (double)sum->softplus_beta;
    pixel->total  = sum->is_rectified ? fmax(before, 0)
                    : beta > 0        ? log1p(exp(beta * before)) / beta
                                      : before;
    return true;
}

/* ---- showing --------------------------------------------------------------------------------- */

static const char *activation_name(const PixelSum *pixel)
{
    return pixel->sum.is_rectified ? "relu" : pixel->sum.softplus_beta > 0 ? "softplus" : "none";
}

static bool show_json(const Settings *settings, const PixelSum *pixel, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "layer", settings->layer);
    json_text(&json, "image", settings->inputs[1]);
    json_whole(&json, "unit0", pixel->unit);
    json_whole(&json, "y", pixel->y);
    json_whole(&json, "x", pixel->x);
    json_number(&json, "activation", pixel->found);
    json_number(&json, "total", pixel->total);
    json_number(&json, "products", pixel->of_products);
    json_number(&json, "bias", pixel->bias);
    json_number(&json, "carried", pixel->carried);
    json_text(&json, "function", activation_name(pixel));
    json_open_array(&json, "terms");
    for (int64_t i = 0; i < pixel->product_count; i++) {
        const Product *product = &pixel->products[i];
        json_open_object(&json, NULL);
        json_whole(&json, "channel", product->channel);
        json_whole(&json, "tap_row", product->tap_row);
        json_whole(&json, "tap_column", product->tap_column);
        json_whole(&json, "row", product->row);
        json_whole(&json, "column", product->column);
        json_number(&json, "weight", (double)product->weight);
        json_number(&json, "input", (double)product->input);
        json_number(&json, "contribution", product->contribution);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    return json_print(&json, error);
}

static bool show_text(const Settings *settings, const PixelSum *pixel, Error *error)
{
    Table             table     = {.columns = 7, .alignment = "rrrrrrr"};
    const char *const headers[] = {"channel", "tap",   "row",         "column",
                                   "weight",  "input", "contribution"};
    printf("unit %lld of ", (long long)pixel->unit);
    print_clean(stdout, settings->layer);
    printf(" at row %lld, column %lld\n\n", (long long)pixel->y, (long long)pixel->x);
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int64_t i = 0; i < pixel->product_count; i++) {
        const Product *product = &pixel->products[i];
        table_cell(&table, "%lld", (long long)product->channel);
        table_cell(&table, "%lld,%lld", (long long)product->tap_row,
                   (long long)product->tap_column);
        table_cell(&table, "%lld", (long long)product->row);
        table_cell(&table, "%lld", (long long)product->column);
        table_cell(&table, "%.6g", (double)product->weight);
        table_cell(&table, "%.6g", (double)product->input);
        table_cell(&table, "%+.6g", product->contribution);
    }
    bool ok = table_print(&table, stdout, error);
    printf("\n%lld products  %+.9g\nbias  %+.9g\n", (long long)pixel->product_count,
           pixel->of_products, pixel->bias);
    if (pixel->carried != 0)
        printf("carried on  %+.9g\n", pixel->carried);
    printf("%s of the sum  %.9g\nactivation  %.9g\n",
           pixel->sum.is_rectified || pixel->sum.softplus_beta > 0 ? activation_name(pixel)
                                                                   : "identity",
           pixel->total, pixel->found);
    return ok;
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool read_place(const Settings *settings, PixelSum *pixel, Error *error)
{
    uint64_t    unit = 0, y = 0, x = 0;
    const char *comma   = strchr(settings->at, ',');
    char        row[32] = "";
    if (comma && (size_t)(comma - settings->at) < sizeof row)
        memcpy(row, settings->at, (size_t)(comma - settings->at));
    if (!whole_parse(settings->units, &unit) || unit > LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "--units: '%s' is not one unit", settings->units);
    if (!comma || !whole_parse(row, &y) || !whole_parse(comma + 1, &x) || y > LIMIT_IMAGE_SIDE ||
        x > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_USAGE, "--at: '%s' is not a row and a column such as 12,30",
                    settings->at);
    *pixel = (PixelSum){.unit = (int64_t)unit, .y = (int64_t)y, .x = (int64_t)x};
    return true;
}

static bool open_graph(const Settings *settings, WeightBlob *blob, PixelSum *pixel, Graph **graph,
                       Network *network, Error *error)
{
    NetworkRequest request = {.batch     = 1,
                              .layer     = settings->layer,
                              .post_relu = settings->readout == READOUT_POST,
                              .unit      = -1};
    if (!graph_create(graph, error) || !network_build(*graph, blob, &request, network, error) ||
        !graph_channel_sum(*graph, network->layer, pixel->unit, &pixel->sum, error))
        return false;
    Shape maps = graph_shape(*graph, network->layer);
    return (pixel->y < maps.dim[2] && pixel->x < maps.dim[3]) ||
           fail(error, ERROR_USAGE, "--at: row %lld, column %lld is outside of maps of %lld x %lld",
                (long long)pixel->y, (long long)pixel->x, (long long)maps.dim[2],
                (long long)maps.dim[3]);
}

static bool run_network(const Settings *settings, WeightBlob *blob, PixelSum *pixel,
                        const Graph *graph, const Network *network, Error *error)
{
    NodeId      outputs[CHANNEL_SUM_TERMS + 1];
    int         count   = 0;
    Plan       *plan    = NULL;
    PlanOptions options = {.conv = CONV_DIRECT}; // the sum itself, not an algebraic rearrangement
    Shape       shape   = graph_shape(graph, network->pixels);
    size_t      size    = (size_t)shape_elements(shape);
    float      *planes  = memory_new(size, sizeof *planes, error);
    outputs[count++]    = network->layer;
    for (int i = 0; i < pixel->sum.count; i++)
        if (pixel->sum.term[i].kind != SUM_BIAS)
            outputs[count++] = pixel->sum.term[i].node;
    bool ok = planes && plan_create(&plan, graph, outputs, count, &options, error) &&
              picture_planes(settings->inputs[1], blob_preparation(blob), planes, error);
    if (ok) {
        real *pixels = plan_input(plan, network->pixels);
        Shape maps   = graph_shape(graph, network->layer);
        for (size_t i = 0; i < size; i++)
            pixels[i] = planes[i];
        plan_run(plan);
        int64_t place = (pixel->unit * maps.dim[2] + pixel->y) * maps.dim[3] + pixel->x;
        pixel->found  = (double)plan_output(plan, network->layer)[place];
        ok            = evaluate(pixel, graph, plan, error);
    }
    memory_free(planes);
    plan_destroy(plan);
    return ok;
}

bool explain_pixel(const Settings *settings, Error *error)
{
    PixelSum    pixel   = {0};
    WeightBlob *blob    = NULL;
    Graph      *graph   = NULL;
    Network     network = {0};
    bool        ok      = read_place(settings, &pixel, error) &&
              inputs_check((UsedPath[]){{"the weight blob", settings->model},
                                        {"the photo", settings->inputs[1]}},
                           2, error) &&
              blob_open(settings->model, &blob, error) &&
              open_graph(settings, blob, &pixel, &graph, &network, error) &&
              run_network(settings, blob, &pixel, graph, &network, error);
    if (ok)
        ok = settings->json ? show_json(settings, &pixel, error)
                            : show_text(settings, &pixel, error);
    memory_free(pixel.products);
    graph_destroy(graph);
    blob_close(blob);
    return ok;
}
