/* probe/probe.c - the tables of a probing set: categories, labels, images. Opens no picture. */
#include "probe.h"

#include "../base/digest.h"
#include "../base/file.h"
#include "../image/image.h"
#include "../format/csv.h"

#include <stdio.h>
#include <string.h>

static bool table_open(Csv **out, const ProbeSet *probe, const char *name, Bytes *bytes,
                       Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, probe->folder, name, error) &&
           file_read_below(probe->folder, name, LIMIT_TEXT_FILE, bytes, error) &&
           csv_open(out, bytes->data, bytes->size, path, error);
}

static bool table_open_only(Csv **out, const ProbeSet *probe, const char *name, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = table_open(out, probe, name, &bytes, error);
    bytes_close(&bytes);
    return ok;
}

/* ---- categories ------------------------------------------------------------------------------ */

static bool is_wanted(const ProbeRequest *request, const char *name)
{
    if (!request->categories)
        return !request->without || strcmp(request->without, name) != 0;
    for (int i = 0; i < request->category_count; i++)
        if (strcmp(request->categories[i], name) == 0)
            return true;
    return false;
}

static bool read_categories(ProbeSet *probe, const ProbeRequest *request, Error *error)
{
    Csv *csv = NULL;
    int  name_column;
    bool ok = table_open_only(&csv, probe, "category.csv", error) &&
              csv_need(csv, "name", &name_column, error);
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++) {
        const char *name = csv_text(csv, row, name_column);
        if (!is_wanted(request, name))
            continue;
        if (!path_is_plain(name) || strchr(name, '/'))
            ok = fail(error, ERROR_DATA, "%s/category.csv: line %lld: '%.60s' cannot be a category",
                      probe->folder, (long long)csv_line(csv, row), name);
        else if (probe_category_named(probe, name) >= 0)
            ok = fail(error, ERROR_DATA, "%s/category.csv: category '%.60s' appears twice",
                      probe->folder, name);
        else if (probe->category_count == PROBE_MAX_CATEGORIES)
            ok = fail(error, ERROR_DATA, "%s/category.csv: has more than %d categories",
                      probe->folder, PROBE_MAX_CATEGORIES);
        else
            ok = (probe->category[probe->category_count] = memory_text(name, error)) != NULL;
        probe->category_count += ok;
    }
    csv_close(csv);
    for (int i = 0; ok && request->categories && i < request->category_count; i++)
        if (probe_category_named(probe, request->categories[i]) < 0)
            ok = fail(error, ERROR_USAGE, "%s/category.csv: has no category '%.60s'", probe->folder,
                      request->categories[i]);
    if (ok && probe->category_count == 0)
        ok = fail(error, ERROR_DATA, "%s/category.csv: lists no category", probe->folder);
    return ok;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static bool read_label(ProbeSet *probe, const Csv *csv, int64_t row, const int columns[4],
                       Error *error)
{
    int64_t number = 0;
    if (!csv_whole(csv, row, columns[0], 1, PROBE_MAX_LABEL, &number, error))
        return false;
    ProbeLabel *label = &probe->labels[number];
    if (label->name)
        return fail(error, ERROR_DATA, "%s/label.csv: line %lld: number %lld appears twice",
                    probe->folder, (long long)csv_line(csv, row), (long long)number);
    label->is_listed = true;
    label->name      = memory_text(csv_text(csv, row, columns[1]), error);
    return label->name && csv_number(csv, row, columns[2], &label->frequency, error) &&
           csv_number(csv, row, columns[3], &label->coverage, error);
}

static bool read_labels(ProbeSet *probe, Error *error)
{
    static const char *const names[4] = {"number", "name", "frequency", "coverage"};
    Csv                     *csv      = NULL;
    int                      columns[4];
    bool                     ok = table_open_only(&csv, probe, "label.csv", error);
    for (int i = 0; ok && i < 4; i++)
        ok = csv_need(csv, names[i], &columns[i], error);
    int64_t largest = 0, number = 0;
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++) {
        ok      = csv_whole(csv, row, columns[0], 1, PROBE_MAX_LABEL, &number, error);
        largest = number > largest ? number : largest;
    }
    if (ok && largest == 0)
        ok = fail(error, ERROR_DATA, "%s/label.csv: lists no label", probe->folder);
    if (ok) {
        probe->label_count = (int32_t)largest + 1;
        ok =
            (probe->labels = memory_new((size_t)largest + 1, sizeof *probe->labels, error)) != NULL;
    }
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++)
        ok = read_label(probe, csv, row, columns, error);
    for (int32_t i = 0; ok && i < probe->label_count; i++) {
        char text[16] = "";
        if (i > 0)
            snprintf(text, sizeof text, "#%d", i);
        if (!probe->labels[i].name)
            ok = (probe->labels[i].name = memory_text(text, error)) != NULL;
    }
    csv_close(csv);
    return ok;
}

// The primary category of a label is the one that covers most (D27); the later one wins ties, so a
// label without any coverage falls to the last category.
static bool read_coverage(ProbeSet *probe, int category, double *largest, Error *error)
{
    char name[LIMIT_PATH];
    Csv *csv = NULL;
    int  number_column, coverage_column;
    snprintf(name, sizeof name, "c_%s.csv", probe->category[category]);
    bool ok = table_open_only(&csv, probe, name, error) &&
              csv_need(csv, "number", &number_column, error) &&
              csv_need(csv, "coverage", &coverage_column, error);
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++) {
        int64_t number   = 0;
        double  coverage = 0;
        ok = csv_whole(csv, row, number_column, 0, probe->label_count - 1, &number, error) &&
             csv_number(csv, row, coverage_column, &coverage, error);
        if (ok && number > 0 && coverage > 0 && coverage >= largest[number]) {
            largest[number]                = coverage;
            probe->labels[number].category = category;
        }
    }
    csv_close(csv);
    return ok;
}

static bool read_primary_categories(ProbeSet *probe, Error *error)
{
    double *largest = memory_new((size_t)probe->label_count, sizeof *largest, error);
    bool    ok      = largest != NULL;
    for (int32_t label = 0; label < probe->label_count; label++)
        probe->labels[label].category = probe->category_count - 1;
    for (int category = 0; ok && category < probe->category_count; category++)
        ok = read_coverage(probe, category, largest, error);
    memory_free(largest);
    return ok;
}

/* ---- images ---------------------------------------------------------------------------------- */

typedef struct IndexReader {
    ProbeSet *probe;
    Csv      *csv;
    int       image, sizes[4], category[PROBE_MAX_CATEGORIES]; // columns
    size_t    text_used, item_count, item_room;
    Error    *error;
} IndexReader;

static bool bad_row(IndexReader *reader, int64_t row, const char *what, const char *found)
{
    return fail(reader->error, ERROR_DATA, "%s/index.csv: line %lld: %s '%.100s'",
                reader->probe->folder, (long long)csv_line(reader->csv, row), what, found);
}

static int32_t keep_text(IndexReader *reader, const char *text, size_t length)
{
    size_t offset = reader->text_used;
    memcpy(reader->probe->text + offset, text, length); // the block is zeroed: the end is there
    reader->text_used += length + 1;
    return (int32_t)offset;
}

// One entry of a cell: digits are a label of the whole image, anything else is a label map (D23).
static bool read_item(IndexReader *reader, int64_t row, int category, const char *text,
                      size_t length)
{
    ProbeSet *probe = reader->probe;
    ProbeItem item  = {.label = -1, .category = category};
    if (strspn(text, "0123456789") >= length) {
        int64_t number = 0;
        for (size_t i = 0; i < length && number < probe->label_count; i++)
            number = 10 * number + (text[i] - '0');
        if (number >= probe->label_count)
            return bad_row(reader, row, "a label number beyond label.csv:", text);
        item.label = (int32_t)number;
    } else {
        item.path = keep_text(reader, text, length);
        if (!path_is_plain(probe->text + item.path))
            return bad_row(reader, row, "not a plain relative path:", probe->text + item.path);
    }
    if (reader->item_count == reader->item_room) {
        size_t     larger = reader->item_room ? 2 * reader->item_room : 256;
        ProbeItem *moved  = memory_grow(probe->items, reader->item_count, larger,
                                        sizeof *probe->items, reader->error);
        if (!moved)
            return false;
        probe->items      = moved;
        reader->item_room = larger;
    }
    probe->items[reader->item_count++] = item;
    return true;
}

static bool read_items(IndexReader *reader, int64_t row, bool *has_label)
{
    for (int category = 0; category < reader->probe->category_count; category++) {
        const char *text = csv_text(reader->csv, row, reader->category[category]);
        while (*text) {
            size_t length = strcspn(text, ";");
            if (length > 0 && !read_item(reader, row, category, text, length))
                return false;
            if (length > 0)
                *has_label |= reader->probe->items[reader->item_count - 1].label != 0;
            text += length + (text[length] == ';');
        }
    }
    return true;
}

static bool read_sizes(IndexReader *reader, int64_t row)
{
    static const char *const names[4] = {"ih", "iw", "sh", "sw"};
    ProbeSet                *probe    = reader->probe;
    int64_t *sizes[4] = {&probe->image_height, &probe->image_width, &probe->map_height,
                         &probe->map_width};
    for (int i = 0; i < 4; i++) {
        int64_t size = 0;
        if (!csv_whole(reader->csv, row, reader->sizes[i], 1, LIMIT_IMAGE_SIDE, &size,
                       reader->error))
            return false;
        if (probe->image_count > 0 && size != *sizes[i])
            return fail(reader->error, ERROR_DATA,
                        "%s/index.csv: line %lld: %s is %lld, expected %lld as in the rows above",
                        probe->folder, (long long)csv_line(reader->csv, row), names[i],
                        (long long)size, (long long)*sizes[i]);
        *sizes[i] = size;
    }
    if (!image_size_is_fine(probe->map_width, probe->map_height) ||
        !image_size_is_fine(probe->image_width, probe->image_height))
        return bad_row(reader, row, "more pixels than the limit in", "ih, iw, sh, sw");
    return true;
}

static bool read_row(IndexReader *reader, int64_t row)
{
    ProbeSet   *probe     = reader->probe;
    const char *path      = csv_text(reader->csv, row, reader->image);
    size_t      items     = reader->item_count;
    bool        has_label = false;
    if (!path_is_plain(path))
        return bad_row(reader, row, "not a plain relative path:", path);
    if (!read_items(reader, row, &has_label))
        return false;
    if (!has_label) { // no label of any wanted category: not part of the set (D24)
        reader->item_count = items;
        return true;
    }
    if (!read_sizes(reader, row))
        return false;
    probe->images[probe->image_count++] = (ProbeImage){
        .path       = keep_text(reader, path, strlen(path)),
        .row        = (int32_t)row,
        .line       = (int32_t)csv_line(reader->csv, row),
        .first_item = (int32_t)items,
        .item_count = (int32_t)(reader->item_count - items),
    };
    return true;
}

typedef struct Twice {
    const ProbeSet *probe;
    int64_t         first, again; // of the earliest row that comes again; -1: none
} Twice;

static void keep_earliest(void *self, int64_t first, int64_t again)
{
    Twice *twice = self;
    if (twice->again < 0 || again < twice->again) {
        twice->first = first;
        twice->again = again;
    }
}

// An image in two rows would count twice.
static bool refuse_twice(const ProbeSet *probe, Error *error)
{
    Twice twice = {probe, -1, -1};
    if (!probe_find_twice(probe, keep_earliest, &twice, error))
        return false;
    return twice.again < 0 ||
           fail(error, ERROR_DATA, "%s/index.csv: line %d: '%.200s' is in line %d already",
                probe->folder, probe->images[twice.again].line,
                probe_image_path(probe, twice.again), probe->images[twice.first].line);
}

static bool read_index(ProbeSet *probe, int64_t limit, Error *error)
{
    static const char *const sizes[4] = {"ih", "iw", "sh", "sw"};
    IndexReader              reader   = {.probe = probe, .error = error};
    Bytes                    bytes    = {0};
    Sha256                   sha;
    bool                     ok = table_open(&reader.csv, probe, "index.csv", &bytes, error) &&
              csv_need(reader.csv, "image", &reader.image, error);
    for (int i = 0; ok && i < 4; i++)
        ok = csv_need(reader.csv, sizes[i], &reader.sizes[i], error);
    for (int i = 0; ok && i < probe->category_count; i++)
        ok = csv_need(reader.csv, probe->category[i], &reader.category[i], error);
    if (ok) {
        sha256_start(&sha);
        sha256_add(&sha, bytes.data, bytes.size);
        sha256_text(&sha, probe->index_sha256);
        int64_t rows  = csv_row_count(reader.csv);
        probe->images = memory_new((size_t)rows, sizeof *probe->images, error);
        probe->text   = memory_new(bytes.size + 1, 1, error); // a path is shorter than its field
        ok            = probe->images && probe->text;
        for (int64_t row = 0; ok && row < rows && (limit == 0 || probe->image_count < limit); row++)
            ok = read_row(&reader, row);
    }
    if (ok && probe->image_count == 0)
        ok = fail(error, ERROR_DATA, "%s/index.csv: has no image with a label of these categories",
                  probe->folder);
    csv_close(reader.csv);
    bytes_close(&bytes);
    return ok;
}

/* ---- the set on disk ---------------------------------------------------------------------- */

static bool is_table(const char *name)
{
    size_t length = strlen(name);
    return strcmp(name, "label.csv") == 0 || strcmp(name, "category.csv") == 0 ||
           (length > 6 && strncmp(name, "c_", 2) == 0 && strcmp(name + length - 4, ".csv") == 0);
}

const ResultKind probe_result = {"index.csv", is_table};

/* ---- the set --------------------------------------------------------------------------------- */

bool probe_is_tables(const char *folder)
{
    static const char *const tables[] = {"category.csv", "label.csv", "index.csv"};
    char                     path[LIMIT_PATH];
    for (int i = 0; i < 3; i++)
        if (path_join(path, folder, tables[i], NULL) && file_exists(path))
            return true;
    return false;
}

// A folder with one of its tables is a set that lacks something, which is told table by table.
static bool check_folder(const char *folder, Error *error)
{
    if (!folder_exists(folder))
        return fail(error, ERROR_NOT_FOUND, "%s: there is no such folder, expected a probing set",
                    folder);
    return probe_is_tables(folder) ||
           fail(error, ERROR_NOT_FOUND,
                "%s: is no probing set (no category.csv, label.csv or index.csv): a folder in "
                "Broden's layout is; photos alone serve methods that need no label maps",
                folder);
}

bool probe_open(ProbeSet *out, const char *folder, const ProbeRequest *request, Error *error)
{
    static const ProbeRequest everything;
    ProbeSet                  probe = {0};
    if (!request)
        request = &everything;
    if (request->limit < 0)
        return fail(error, ERROR_USAGE, "limit is %lld, expected 0 or more",
                    (long long)request->limit);
    probe.folder = memory_text(folder, error);
    if (!probe.folder || !swap_settle(folder, &probe_result, error) ||
        !check_folder(folder, error) || !read_categories(&probe, request, error) ||
        !read_labels(&probe, error) || !read_primary_categories(&probe, error) ||
        !read_index(&probe, request->limit, error) ||
        (!request->accepts_twice && !refuse_twice(&probe, error))) {
        probe_close(&probe);
        return false;
    }
    probe.is_whole = !request->categories && !request->without && request->limit == 0;
    *out           = probe;
    return true;
}

void probe_close(ProbeSet *probe)
{
    for (int i = 0; i < PROBE_MAX_CATEGORIES; i++)
        memory_free(probe->category[i]);
    for (int32_t i = 0; probe->labels && i < probe->label_count; i++)
        memory_free(probe->labels[i].name);
    memory_free(probe->labels);
    memory_free(probe->images);
    memory_free(probe->items);
    memory_free(probe->text);
    memory_free(probe->folder);
    *probe = (ProbeSet){0};
}

const char *probe_image_path(const ProbeSet *probe, int64_t image)
{
    return probe->text + probe->images[image].path;
}

int probe_category_named(const ProbeSet *probe, const char *name)
{
    for (int i = 0; i < probe->category_count; i++)
        if (strcmp(probe->category[i], name) == 0)
            return i;
    return -1;
}

int32_t probe_label_named(const ProbeSet *probe, const char *name, int category)
{
    for (int32_t i = 1; i < probe->label_count && *name; i++)
        if (strcmp(probe->labels[i].name, name) == 0 &&
            (category < 0 || probe->labels[i].category == category))
            return i;
    return 0;
}
