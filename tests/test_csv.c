/* tests/test_csv.c - RFC 4180: fields come out as they went in, everything else is refused. */
#include "../format/csv.h"
#include "test.h"

#include <string.h>

static Csv *open_text(const char *text, Error *error)
{
    Csv *csv = NULL;
    csv_open(&csv, (const uint8_t *)text, strlen(text), "t.csv", error);
    return csv;
}

static void fields_by_name(void)
{
    Csv *csv = open_text("a,b,c\n1,2,3\n4,,6\n", NULL);
    REQUIRE(csv != NULL);
    CHECK(csv_row_count(csv) == 2 && csv_column_count(csv) == 3);
    CHECK(csv_column(csv, "b") == 1 && csv_column(csv, "d") == -1);
    CHECK_TEXT(csv_column_name(csv, 2), "c");
    CHECK_TEXT(csv_text(csv, 0, 0), "1");
    CHECK_TEXT(csv_text(csv, 1, 1), "");
    CHECK_TEXT(csv_text(csv, 1, 2), "6");
    csv_close(csv);
}

static void quotes_commas_and_line_ends(void)
{
    Csv *csv =
        open_text("\xEF\xBB\xBFname,\"x\"\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\","
                  "\"\"\n\nlast,end",
                  NULL);
    REQUIRE(csv != NULL);
    CHECK(csv_row_count(csv) == 3);
    CHECK(csv_column(csv, "name") == 0 && csv_column(csv, "x") == 1);
    CHECK_TEXT(csv_text(csv, 0, 0), "a,b");
    CHECK_TEXT(csv_text(csv, 0, 1), "say \"hi\"");
    CHECK_TEXT(csv_text(csv, 1, 0), "two\nlines");
    CHECK_TEXT(csv_text(csv, 1, 1), "");
    CHECK_TEXT(csv_text(csv, 2, 1), "end");
    CHECK(csv_line(csv, 0) == 2 && csv_line(csv, 1) == 4 && csv_line(csv, 2) == 7);
    csv_close(csv);
}

static void broken_text_is_refused(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "t.csv: is empty, expected a header"},
        {"\n\n", "t.csv: is empty, expected a header"},
        {"a,b\n1\n", "t.csv: line 2: has 1 fields, the header has 2"},
        {"a,b\n1,2\n1,2,3\n", "t.csv: line 3: has 3 fields, the header has 2"},
        {"a\n\"x", "t.csv: line 2: a quoted field does not end"},
        {"a\n\"x\ny", "t.csv: line 3: a quoted field does not end"},
        {"a\n\"x\"y\n", "t.csv: line 2: text after a closing quote"},
        {"a\nx\"y\n", "t.csv: line 2: a quote inside a field that does not start with one"},
        {"a\nx\ry\n", "t.csv: line 2: a carriage return inside a line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {0};
        CHECK(open_text(cases[i].text, &error) == NULL);
        CHECK_REFUSED("csv", &error, cases[i].message);
    }
    Csv  *csv   = NULL;
    Error error = {0};
    CHECK(!csv_open(&csv, (const uint8_t *)"a\nx\0y\n", 6, "t.csv", &error));
    CHECK_REFUSED("csv", &error, "t.csv: line 2: a zero byte is not text");
}

static void truncations_never_overread(void)
{
    static const char whole[] = "a,\"b\"\r\n\"1,\"\"2\",3\r\n4,\"5\"\r\n";
    int64_t           blocks = memory_live_blocks(), opened = 0;
    for (size_t size = 0; size < sizeof whole; size++) {
        char *cut = memory_new(size, 1, NULL);
        memcpy(cut, whole, size);
        Csv  *csv   = NULL;
        Error error = {0};
        if (csv_open(&csv, (const uint8_t *)cut, size, "t.csv", &error))
            opened++;
        else
            CHECK(error.code == ERROR_DATA && error.message[0]);
        csv_close(csv);
        memory_free(cut);
    }
    CHECK(opened > 4 && opened < (int64_t)sizeof whole);
    CHECK(memory_live_blocks() == blocks);
}

static bool opens(const char *data, size_t size, Error *error)
{
    Csv *csv = NULL;
    bool ok  = csv_open(&csv, (const uint8_t *)data, size, "t.csv", error);
    csv_close(csv);
    return ok;
}

static void limits_hold(void)
{
    size_t size  = (size_t)LIMIT_CSV_LINE + 64;
    char  *text  = memory_new(size, 1, NULL);
    Error  error = {0}, fields = {0};
    memset(text, 'x', size);
    CHECK(!opens(text, size, &error));
    CHECK_REFUSED("csv", &error, "t.csv: line 1: a record longer than the limit of 1 MiB");
    CHECK(opens(text, LIMIT_CSV_LINE, NULL));
    memset(text, ',', size);
    CHECK(!opens(text, size, &fields));
    CHECK_REFUSED("csv", &fields, "t.csv: line 1: more fields than the limit of 4096");
    CHECK(opens(text, LIMIT_CSV_FIELDS - 1, NULL) && !opens(text, LIMIT_CSV_FIELDS, NULL));
    memory_free(text);
}

static void whole_numbers(void)
{
    Csv *csv =
        open_text("n\n0\n-7\n007\n99\n1.0\n\" 1\"\n\"\"\n-\n1e3\n12345678901234567890\n", NULL);
    static const int64_t wanted[4] = {0, -7, 7, 99};
    int64_t              value     = 0;
    REQUIRE(csv != NULL);
    for (int64_t row = 0; row < 4; row++)
        CHECK(csv_whole(csv, row, 0, -7, 99, &value, NULL) && value == wanted[row]);
    for (int64_t row = 4; row < csv_row_count(csv); row++) {
        Error error = {0};
        CHECK(!csv_whole(csv, row, 0, INT64_MIN, INT64_MAX, &value, &error) && value == 99);
        CHECK_REFUSED("csv", &error, "expected a whole number");
    }
    Error error = {0};
    CHECK(!csv_whole(csv, 3, 0, 0, 98, &value, &error));
    CHECK_REFUSED("csv", &error, "t.csv: line 5: n is 99, expected 0 to 98");
    csv_close(csv);
}

static void decimal_numbers(void)
{
    Csv *csv =
        open_text("n\n1.5\n-2e-3\n9.99998724489796e-05\nnan\ninf\n0x10\n1e999\n1.5x\n\"\"\n", NULL);
    static const double wanted[3] = {1.5, -2e-3, 9.99998724489796e-05};
    double              value     = 0;
    REQUIRE(csv != NULL);
    for (int64_t row = 0; row < 3; row++)
        CHECK(csv_number(csv, row, 0, &value, NULL) && value == wanted[row]);
    for (int64_t row = 3; row < csv_row_count(csv); row++) {
        Error error = {0};
        CHECK(!csv_number(csv, row, 0, &value, &error));
        CHECK_REFUSED("csv", &error, "expected a number");
    }
    Error error  = {0};
    int   column = 7;
    CHECK(!csv_need(csv, "m", &column, &error) && column == 7);
    CHECK_REFUSED("csv", &error, "t.csv: no column 'm' in the header");
    csv_close(csv);
}

static void no_memory_is_an_error(void)
{
    int64_t blocks = memory_live_blocks();
    for (int64_t call = 1; call <= 6; call++) {
        Error error = {0};
        memory_fail_at(call, false);
        bool ok = opens("a,b\n1,2\n", 8, &error);
        memory_fail_at(0, false);
        CHECK(ok == (call == 6));
        CHECK(ok || error.code == ERROR_MEMORY);
    }
    CHECK(memory_live_blocks() == blocks);
}

SUITE(csv)
{
    RUN(fields_by_name);
    RUN(quotes_commas_and_line_ends);
    RUN(broken_text_is_refused);
    RUN(truncations_never_overread);
    RUN(limits_hold);
    RUN(whole_numbers);
    RUN(decimal_numbers);
    RUN(no_memory_is_an_error);
}
