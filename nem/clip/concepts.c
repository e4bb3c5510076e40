/* nem/clip/concepts.c - a list of concepts, a line each (L7). */
#include "../../base/file.h"
#include "clip_private.h"

#include <string.h>

enum { MOST_CONCEPTS = 1 << 20 };

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t\r\f\v")] == 0;
}

// Lists the lines of the text, cut where they end, that are not blank; returns how many.
static int32_t cut_lines(char *text, const char **lines, int32_t *numbers)
{
    int32_t count = 0, number = 0;
    for (char *line = text, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        size_t length = strlen(line);
        if (length && line[length - 1] == '\r')
            line[length - 1] = 0;
        number++;
        if (is_blank(line))
            continue;
        numbers[count] = number;
        lines[count++] = line;
    }
    return count;
}

static bool fill(Concepts *concepts, const Bytes *file, const char *path, Error *error)
{
    size_t lines = 1;
    for (size_t i = 0; i < file->size; i++)
        lines += file->data[i] == '\n';
    if (memchr(file->data, 0, file->size))
        return fail(error, ERROR_DATA, "%s: has a zero byte, expected a concept a line", path);
    if (lines > MOST_CONCEPTS)
        return fail(error, ERROR_DATA, "%s: has %zu lines, the limit is %d", path, lines,
                    MOST_CONCEPTS);
    concepts->bytes       = memory_new(file->size + 1, 1, error);
    concepts->text        = memory_new(lines + 1, sizeof *concepts->text, error);
    concepts->category_of = memory_new(lines + 1, sizeof *concepts->category_of, error);
    concepts->line        = memory_new(lines + 1, sizeof *concepts->line, error);
    if (!concepts->bytes || !concepts->text || !concepts->category_of || !concepts->line)
        return false;
    memcpy(concepts->bytes, file->data, file->size);
    concepts->text[0] = "";
    concepts->count   = cut_lines(concepts->bytes, concepts->text + 1, concepts->line + 1);
    return concepts->count > 0 ||
           fail(error, ERROR_DATA, "%s: has no concepts, expected one a line", path);
}

bool concepts_open(Concepts *out, const char *path, Error *error)
{
    Concepts concepts = {0};
    Bytes    file     = {0};
    if (!file_read(path, LIMIT_TEXT_FILE, &file, error))
        return false;
    bool ok = fill(&concepts, &file, path, error);
    bytes_close(&file);
    if (ok)
        *out = concepts;
    else
        concepts_close(&concepts);
    return ok;
}

void concepts_close(Concepts *concepts)
{
    memory_free(concepts->bytes);
    memory_free(concepts->text);
    memory_free(concepts->category_of);
    memory_free(concepts->line);
    *concepts = (Concepts){0};
}
