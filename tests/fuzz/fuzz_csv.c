/* tests/fuzz/fuzz_csv.c - any bytes as CSV; what opens reads the same when written with quotes, and
 * as names of a table that a spreadsheet may open. */
#include "../../base/file.h"
#include "../../format/csv.h"
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

// The cells of one column through the project's own writer.
static void check_written(const Csv *csv, int column)
{
    char    path[64];
    Csv    *back   = NULL;
    Bytes   bytes  = {0};
    Writer *writer = NULL;
    int     name   = -1;
    snprintf(path, sizeof path, "/dev/shm/nemesis-fuzz-%ld.csv", (long)getpid());
    FUZZ_CHECK(writer_open(&writer, path, NULL));
    writer_text(writer, "name,end\n");
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        csv_write_text(writer, csv_text(csv, row, column));
        writer_text(writer, ",\n");
    }
    FUZZ_CHECK(writer_publish(writer, NULL) && file_read(path, LIMIT_TEXT_FILE, &bytes, NULL));
    FUZZ_CHECK(csv_open(&back, bytes.data, bytes.size, path, NULL));
    FUZZ_CHECK(csv_need(back, "name", &name, NULL) && !csv_need(back, "x", &name, NULL));
    FUZZ_CHECK(csv_row_count(back) == csv_row_count(csv) && file_remove(path, NULL));
    for (int64_t row = 0; row < csv_row_count(csv); row++)
        FUZZ_CHECK(!strcmp(csv_name(back, row, name), csv_text(csv, row, column)));
    csv_close(back);
    bytes_close(&bytes);
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
    if (size % 8 == 0) // the file system is slow
        check_written(csv, columns - 1);
    memory_free(text);
    csv_close(back);
    csv_close(csv);
}
