/* tests/fuzz/fuzz_csv.c - any bytes as CSV; what opens reads the same when written with quotes. */
#include "../../nem/csv.h"
#include "fuzz.h"

#include <math.h>
#include <string.h>

static size_t put_quoted(char *out, const char *text)
{
    char *start = out;
    for (*out++ = '"'; *text; text++) {
        if (*text == '"')
            *out++ = '"';
        *out++ = *text;
    }
    *out++ = '"';
    return (size_t)(out - start);
}

// Field -1 of a table is its header.
static const char *field(const Csv *csv, int64_t row, int column)
{
    return row < 0 ? csv_column_name(csv, column) : csv_text(csv, row, column);
}

static void check_numbers(const Csv *csv, int64_t row, int column)
{
    int64_t whole  = 0;
    double  number = 0;
    if (csv_whole(csv, row, column, -1000, 1 << 20, &whole, NULL))
        FUZZ_CHECK(whole >= -1000 && whole <= 1 << 20 &&
                   csv_number(csv, row, column, &number, NULL) && (double)whole == number);
    if (csv_number(csv, row, column, &number, NULL))
        FUZZ_CHECK(isfinite(number));
}

void fuzz_csv(const uint8_t *data, size_t size)
{
    Csv *csv = NULL, *back = NULL;
    if (!csv_open(&csv, data, size, "fuzz.csv", NULL))
        return;
    int     columns = csv_column_count(csv);
    int64_t rows    = csv_row_count(csv);
    char   *text    = memory_new(2 * size + 4 * (size_t)(rows + 1) * (size_t)columns, 1, NULL);
    size_t  used    = 0;
    for (int64_t row = -1; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            used += put_quoted(text + used, field(csv, row, column));
            text[used++] = column + 1 < columns ? ',' : '\n';
            if (row >= 0)
                check_numbers(csv, row, column);
        }
        FUZZ_CHECK(row < 0 || (csv_line(csv, row) >= 1 && csv_line(csv, row) <= (int64_t)size));
    }
    FUZZ_CHECK(csv_open(&back, (uint8_t *)text, used, "back.csv", NULL));
    FUZZ_CHECK(csv_column_count(back) == columns && csv_row_count(back) == rows);
    for (int64_t row = -1; row < rows; row++)
        for (int column = 0; column < columns; column++)
            FUZZ_CHECK(!strcmp(field(csv, row, column), field(back, row, column)));
    FUZZ_CHECK(csv_column(csv, csv_column_name(csv, columns - 1)) >= 0);
    memory_free(text);
    csv_close(back);
    csv_close(csv);
}
