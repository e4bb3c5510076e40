/* nem/descriptions.c - see descriptions.h. */
#include "descriptions.h"

#include "../format/csv.h"
#include "../format/json.h"

#include <stdlib.h>
#include <string.h>

// One file while it is read.
typedef struct Source {
    Descriptions *list;
    int64_t       room;
    const char   *path; // of the file
    Csv          *csv;
    char         *layer; // of all its units; NULL: a column says it
} Source;

void descriptions_close(Descriptions *list)
{
    for (int64_t i = 0; i < list->count; i++) {
        memory_free(list->rows[i].layer);
        memory_free(list->rows[i].text);
    }
    memory_free(list->rows);
    memory_free(list->name);
    *list = (Descriptions){0};
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool add(Source *source, const char *layer, int64_t unit, const char *text, int stayed,
                Error *error)
{
    Descriptions *list = source->list;
    if (list->count == source->room) {
        int64_t      room = source->room ? 2 * source->room : 1024;
        Description *rows =
            memory_grow(list->rows, (size_t)list->count, (size_t)room, sizeof *rows, error);
        if (!rows)
            return false;
        list->rows   = rows;
        source->room = room;
    }
    Description *row = &list->rows[list->count++]; // zeroed
    row->unit        = unit;
    row->stayed      = stayed;
    return (row->layer = memory_text(layer, error)) != NULL &&
           (row->text = memory_text(text, error)) != NULL;
}

static bool layer_of(const Source *source, int64_t row, int column, const char **out, Error *error)
{
    *out = source->layer ? source->layer : csv_text(source->csv, row, column);
    return **out || fail(error, ERROR_DATA, "%s: line %lld names no layer", source->path,
                         (long long)csv_line(source->csv, row));
}

// layer,unit,description, or a tally: unit,label.
static bool read_units(Source *source, const char *text_column, int64_t first, Error *error)
{
    int layer = -1, unit = 0, text = 0;
    if (!csv_need(source->csv, "unit", &unit, error) ||
        !csv_need(source->csv, text_column, &text, error) ||
        (!source->layer && !csv_need(source->csv, "layer", &layer, error)))
        return false;
    for (int64_t row = 0; row < csv_row_count(source->csv); row++) {
        int64_t     number = 0;
        const char *name   = NULL;
        if (!layer_of(source, row, layer, &name, error) ||
            !csv_whole(source->csv, row, unit, first, LIMIT_UNITS + first - 1, &number, error) ||
            !add(source, name, number - first, csv_name(source->csv, row, text), -1, error))
            return false;
    }
    return true;
}

/* ---- runs of noise and attack ---------------------------------------------------------------- */

// A run has a row for each setting and unit: rows of a unit are joined once all are there.
static bool read_changes(Source *source, Error *error)
{
    int layer = -1, unit = 0, text = 0, strength = 0, changed = 0;
    int poisoned =
        csv_column(source->csv, "poisoned"); // images; of a unit with none nothing was tried
    if (!csv_need(source->csv, "unit0", &unit, error) ||
        !csv_need(source->csv, "clean_label", &text, error) ||
        !csv_need(source->csv, "strength", &strength, error) ||
        !csv_need(source->csv, "changed", &changed, error) ||
        (!source->layer && !csv_need(source->csv, "layer", &layer, error)))
        return false;
    source->list->has_stayed = true;
    for (int64_t row = 0; row < csv_row_count(source->csv); row++) {
        int64_t     number = 0, is_other = 0, touched = 1;
        double      level = 0;
        const char *name  = NULL;
        if (!layer_of(source, row, layer, &name, error) ||
            !csv_whole(source->csv, row, unit, 0, LIMIT_UNITS - 1, &number, error) ||
            !csv_whole(source->csv, row, changed, 0, 1, &is_other, error) ||
            !csv_number(source->csv, row, strength, &level, error) ||
            (poisoned >= 0 &&
             !csv_whole(source->csv, row, poisoned, 0, INT32_MAX, &touched, error)) ||
            !add(source, name, number, csv_name(source->csv, row, text),
                 level > 0 && touched ? !is_other : -1, error))
            return false;
    }
    return true;
}

// Where changes.csv names no layer, run.json does.
static bool layer_of_run(Source *source, const char *folder, Error *error)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    Json  json  = {0};
    bool  ok    = path_join(path, folder, "run.json", error) &&
              file_read(path, JSON_BYTES, &bytes, error) &&
              json_read(bytes.data, bytes.size, path, &json, error);
    const char *layer = ok ? json_member_text(&json, "layer.name") : NULL;
    if (ok && !layer)
        ok = fail(error, ERROR_DATA, "%s: names no layer", path);
    ok = ok && (source->layer = memory_text(layer, error)) != NULL;
    json_free(&json);
    bytes_close(&bytes);
    return ok;
}

/* ---- files ----------------------------------------------------------------------------------- */

// The word behind the last underscore of the file's name, without its ending.
static bool layer_of_name(Source *source, const char *path, Error *error)
{
    const char *name = strrchr(path, '/');
    name             = name ? name + 1 : path;
    const char *word = strrchr(name, '_');
    size_t      size = word ? strcspn(word + 1, ".") : 0;
    if (size == 0)
        return fail(error, ERROR_DATA, "%s: is a tally, which names no layer; give it as LAYER=%s",
                    path, path);
    source->layer = memory_text(word + 1, error);
    if (source->layer)
        source->layer[size] = 0;
    return source->layer != NULL;
}

static bool read_table(Source *source, Error *error)
{
    bool is_tally = csv_column(source->csv, "description") < 0;
    if (is_tally && csv_column(source->csv, "label") < 0)
        return fail(error, ERROR_DATA,
                    "%s: has neither a column 'description' nor, as a tally, 'label'",
                    source->path);
    if (is_tally && !source->layer && !layer_of_name(source, source->path, error))
        return false;
    return is_tally ? read_units(source, "label", 1, error)
                    : read_units(source, "description", 0, error);
}

static bool read_file(Source *source, bool is_changes, Error *error)
{
    bool ok = csv_read(&source->csv, source->path, error) &&
              (is_changes ? read_changes(source, error) : read_table(source, error));
    csv_close(source->csv);
    source->csv = NULL;
    return ok;
}

// A run has changes.csv if it is one of noise or attack.
static bool read_run(Source *source, const char *folder, Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, folder, "changes.csv", error))
        return false;
    bool is_changes = file_exists(path);
    if (!is_changes && !path_join(path, folder, "units.csv", error))
        return false;
    source->path = path;
    bool ok      = (!is_changes || source->layer || layer_of_run(source, folder, error)) &&
              read_file(source, is_changes, error);
    source->path = folder;
    return ok;
}

// Behind LAYER=, unless there is something of that whole name.
static const char *behind_layer(const char *piece)
{
    const char *equals = strchr(piece, '='), *slash = strchr(piece, '/');
    bool        has = equals && equals > piece && (!slash || equals < slash);
    return has && !file_exists(piece) && !folder_exists(piece) ? equals + 1 : piece;
}

static bool read_piece(Descriptions *list, int64_t *room, const char *piece, Error *error)
{
    Source source = {.list = list, .room = *room, .path = behind_layer(piece)};
    bool   ok     = true;
    if (source.path > piece && (ok = (source.layer = memory_text(piece, error)) != NULL))
        source.layer[source.path - piece - 1] = 0;
    ok = ok && (folder_exists(source.path) ? read_run(&source, source.path, error)
                                           : read_file(&source, false, error));
    memory_free(source.layer);
    *room = source.room;
    return ok;
}

/* ---- a source -------------------------------------------------------------------------------- */

// How many paths a source has.
static int count_pieces(const char *source)
{
    int count = 1;
    if (!file_exists(source) && !folder_exists(source))
        for (; *source; source++)
            count += *source == ',';
    return count;
}

// The index-th of what commas part, unless the whole is a path.
static bool piece_of(const char *source, int index, char out[LIMIT_PATH])
{
    bool   is_whole = file_exists(source) || folder_exists(source);
    size_t length   = strlen(source);
    for (; !is_whole && index > 0 && *source; index--) {
        source += strcspn(source, ",");
        source += *source == ',';
    }
    length = is_whole ? length : strcspn(source, ",");
    if (index > 0 || length == 0 || length >= LIMIT_PATH)
        return false;
    memcpy(out, source, length);
    out[length] = 0;
    return true;
}

bool descriptions_path(const char *source, int index, char out[LIMIT_PATH])
{
    if (!piece_of(source, index, out))
        return false;
    const char *path = behind_layer(out);
    memmove(out, path, strlen(path) + 1);
    return true;
}

int descriptions_compare(const Description *a, const Description *b)
{
    int order = strcmp(a->layer, b->layer);
    return order ? order : (a->unit > b->unit) - (a->unit < b->unit);
}

static int by_unit(const void *a, const void *b)
{
    return descriptions_compare(a, b);
}

// Rows of one unit of a run of noise become one; else no unit may appear twice.
static bool join_rows(Descriptions *list, const char *source, Error *error)
{
    int64_t kept = 0;
    if (!list->rows)
        return fail(error, ERROR_DATA, "%s: has no unit", source);
    qsort(list->rows, (size_t)list->count, sizeof *list->rows, by_unit);
    for (int64_t i = 0; i < list->count; i++) {
        Description *row = &list->rows[i], *last = kept ? &list->rows[kept - 1] : NULL;
        if (!last || descriptions_compare(row, last) != 0) {
            Description moved  = *row;
            *row               = (Description){0};
            list->rows[kept++] = moved;
            continue;
        }
        if (!list->has_stayed || strcmp(row->text, last->text) != 0)
            return fail(error, ERROR_DATA, "%s: unit %lld of %.60s appears twice", source,
                        (long long)row->unit, row->layer);
        if (row->stayed >= 0)
            last->stayed = last->stayed < 0 ? row->stayed : last->stayed & row->stayed;
        memory_free(row->layer);
        memory_free(row->text);
        *row = (Description){0};
    }
    list->count = kept;
    return true;
}

// A folder's or a file's own name.
static bool name_list(Descriptions *list, const char *path, Error *error)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t dot = length;
    while (dot > start && path[dot] != '.')
        dot--;
    length = dot > start ? dot : length;
    if (!(list->name = memory_text(path + start, error)))
        return false;
    list->name[length - start] = 0;
    return true;
}

bool descriptions_read(Descriptions *out, const char *source, Error *error)
{
    Descriptions list = {0};
    int64_t      room = 0;
    char         piece[LIMIT_PATH];
    bool         ok    = true;
    int          count = count_pieces(source);
    for (int i = 0; ok && i < count; i++)
        ok = (piece_of(source, i, piece) ||
              fail(error, ERROR_USAGE, "'%.60s' names no run and no file in place %d", source,
                   i + 1)) &&
             (i > 0 || name_list(&list, behind_layer(piece), error)) &&
             read_piece(&list, &room, piece, error);
    ok = ok && join_rows(&list, source, error);
    if (!ok) {
        descriptions_close(&list);
        return false;
    }
    *out = list;
    return true;
}
