/* tests/test_explain.c - explain and report as programs, and the sums read from a graph. */
#include "../format/json.h"
#include "../engine/engine.h"
#include "../base/file.h"
#include "../format/csv.h"
#include "page_check.h"
#include "small_inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sums of channels ------------------------------------------------------------------------ */

static void a_channel_is_traced_through_activation_and_concat(void)
{
    static const real left[2 * 3 * 1], right[4 * 3 * 9], bias[2] = {1, 2}, other[4] = {3, 4, 5, 6};
    Graph            *graph = NULL;
    ChannelSum        sum;
    REQUIRE(graph_create(&graph, NULL));
    NodeId x = op_input(graph, shape_4d(1, 3, 6, 6), "x");
    NodeId a =
        op_bias(graph, op_conv2d(graph, x, op_parameter(graph, shape_4d(2, 3, 1, 1), left), 1, 0),
                op_parameter(graph, shape_1d(2), bias));
    NodeId b =
        op_bias(graph, op_conv2d(graph, x, op_parameter(graph, shape_4d(4, 3, 3, 3), right), 1, 1),
                op_parameter(graph, shape_1d(4), other));
    NodeId y = op_concat(graph, op_relu(graph, a), op_relu(graph, b), 1);
    REQUIRE(graph_channel_sum(graph, y, 4, &sum, NULL));
    CHECK(sum.is_rectified && sum.count == 2);
    CHECK(sum.term[0].kind == SUM_CONVOLUTION && sum.term[0].node == x && sum.term[0].pad == 1);
    CHECK(sum.term[0].weights == right + 2 * 27 && sum.term[0].rows == 3);
    CHECK(sum.term[1].kind == SUM_BIAS && sum.term[1].value == 5);
    REQUIRE(graph_channel_sum(graph, op_add(graph, b, op_relu(graph, b)), 1, &sum, NULL));
    CHECK(sum.count == 3 && !sum.is_rectified && sum.term[2].kind == SUM_CARRIED &&
          sum.term[2].channel == 1);
    static const real of_groups[6 * 2 * 1];
    NodeId            groups = op_parameter(graph, shape_4d(6, 2, 1, 1), of_groups);
    REQUIRE(graph_channel_sum(graph, op_conv2d(graph, y, groups, 1, 0), 3, &sum, NULL));
    CHECK(sum.count == 1 && sum.term[0].channel == 2 && sum.term[0].channels == 2 &&
          sum.term[0].weights == of_groups + 3 * 2);
    Error error = {0};
    CHECK(!graph_channel_sum(graph, x, 0, &sum, &error) && error.code == ERROR_USAGE);
    CHECK(!graph_channel_sum(graph, y, 6, &sum, NULL));
    graph_destroy(graph);
}

/* ---- the program ----------------------------------------------------------------------------- */

static double number_at(const Json *json, const JsonNode *object, const char *path)
{
    const JsonNode *node = json_member(json, object, path);
    return node && node->text ? strtod(node->text, NULL) : -1e300;
}

static void the_sum_of_a_pixel_is_its_activation(void)
{
    NEED_INPUTS();
    const char *const places[] = {"0,0", "3,5"};
    for (int i = 0; i < 2; i++) {
        Json           json = {0};
        const Outcome *o = program_run("explain pixel -m %s -l conv12 -u 1 --at %s %s --json", blob,
                                       places[i], first_photo());
        REQUIRE(o->code == 0 && json_read(o->out, strlen(o->out), "explain", &json, NULL));
        const JsonNode *terms = json_member(&json, json.nodes, "terms");
        double          total = number_at(&json, json.nodes, "total"), sum = 0, last = 1e300;
        REQUIRE(terms && terms->count > 0);
        for (int t = terms->first; t >= 0; t = json.nodes[t].next) {
            double part = number_at(&json, &json.nodes[t], "contribution");
            CHECK(part <= last);
            CHECK_CLOSE(part,
                        number_at(&json, &json.nodes[t], "weight") *
                            number_at(&json, &json.nodes[t], "input"),
                        1e-12);
            sum += last = part;
        }
        CHECK_CLOSE(sum + number_at(&json, json.nodes, "bias"), total, 1e-9);
        CHECK_CLOSE(total, number_at(&json, json.nodes, "activation"), 1e-5);
        json_free(&json);
    }
    CHECK(
        program_run("explain pixel -m %s -l conv12 -u 1 --at 99,0 %s", blob, first_photo())->code ==
        2);
    CHECK(program_run("explain pixel -m %s -l conv12 -u 1 --at 3 %s", blob, first_photo())->code ==
          2);
    CHECK(program_run("explain pixel -m %s -l conv12 --at 0,0 %s", blob, first_photo())->code == 2);
    CHECK(program_run("explain sum 3")->code == 2);
}

static void the_numbers_of_a_unit_are_those_of_the_tally(void)
{
    NEED_INPUTS();
    const char *run   = dissect("run", "");
    Bytes       bytes = {0};
    Csv        *csv   = NULL;
    REQUIRE(file_read(in_folder("run/tally.csv"), LIMIT_TEXT_FILE, &bytes, NULL) &&
            csv_open(&csv, bytes.data, bytes.size, "tally.csv", NULL));
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        Json           json = {0};
        const char    *unit = csv_text(csv, row, csv_column(csv, "unit0"));
        const Outcome *o    = program_run("explain unit %s --baseline %s --json", unit, run);
        REQUIRE(o->code == 0 && json_read(o->out, strlen(o->out), "explain", &json, NULL));
        const JsonNode *concepts = json_member(&json, json.nodes, "concepts");
        const char     *category = csv_text(csv, row, csv_column(csv, "category"));
        CHECK((float)number_at(&json, json.nodes, "threshold") ==
              strtof(csv_text(csv, row, csv_column(csv, "threshold")), NULL));
        if (concepts->count) {
            static const char *const pairs[][2] = {{"truth", "truth"},
                                                   {"activation", "activation"},
                                                   {"intersect", "intersect"},
                                                   {"iou", "iou"}};
            const JsonNode          *best       = &json.nodes[concepts->first];
            CHECK_TEXT(json_member(&json, best, "label")->text,
                       csv_text(csv, row, csv_column(csv, "label")));
            for (int i = 0; i < 4; i++) {
                char column[128];
                snprintf(column, sizeof column, "%s-%s", category, pairs[i][1]);
                CHECK(number_at(&json, best, pairs[i][0]) ==
                      strtod(csv_text(csv, row, csv_column(csv, column)), NULL));
            }
        }
        json_free(&json);
    }
    csv_close(csv);
    bytes_close(&bytes);
    CHECK(program_run("explain unit 0 --baseline %s", run)->code == 0);
    CHECK(program_run("explain unit %d --baseline %s", SMALL_UNITS, run)->code == 2);
    CHECK(program_run("explain unit 0")->code == 2);
}

static void report_writes_a_page_of_every_run(void)
{
    NEED_INPUTS();
    const char *run = dissect("run", "");
    REQUIRE(
        program_run("noise --baseline %s --type uniform --std 0.1 -o %s", run, in_folder("noise"))
            ->code == 0);
    REQUIRE(program_run("attack --baseline %s -u 0,2 --eps 8/255 --steps 3 -o %s", run,
                        in_folder("attack"))
                ->code == 0);
    static const char *const names[] = {"run", "noise", "attack"};
    for (int i = 0; i < 3; i++) {
        Bytes          bytes = {0};
        const Outcome *o     = program_run("report %s -o %s/pages", in_folder("%s", names[i]),
                                           in_folder("%s", names[i]));
        CHECK(o->code == 0 && strstr(o->out, "/pages/index.html"));
        REQUIRE(
            file_read(in_folder("%s/pages/index.html", names[i]), LIMIT_TEXT_FILE, &bytes, NULL));
        CHECK(!page_problem((const char *)bytes.data));
        bytes_close(&bytes);
    }
    CHECK(program_run("report %s -o %s/pages", run, run)->code == 73);
    CHECK(program_run("report %s -o %s/pages --overwrite", run, run)->code == 0);
    CHECK(program_run("report %s -o %s", in_folder("nothing"), in_folder("x"))->code == 66);
    const char *attack = in_folder("attack"), *pages = in_folder("x");
    CHECK(program_run("report %s -o %s --film 1", attack, pages)->code == 2);
    CHECK(program_run("report %s -o %s --film door", attack, pages)->code == 2);
    CHECK(program_run("report %s -o %s --film 0", in_folder("noise"), pages)->code == 2);
    CHECK(!folder_exists(in_folder("x")));
}

SUITE(explain)
{
    RUN(a_channel_is_traced_through_activation_and_concat);
    RUN(the_sum_of_a_pixel_is_its_activation);
    RUN(the_numbers_of_a_unit_are_those_of_the_tally);
    RUN(report_writes_a_page_of_every_run);
}
