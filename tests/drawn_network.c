/* tests/drawn_network.c - see drawn_network.h. */
#include "drawn_network.h"

#include "../base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *drawn_tensor(BlobBuilder *builder, char *text)
{
    char *rest = NULL, *name = strtok_r(text, " ", &rest);
    char *centre = strtok_r(NULL, " ", &rest), *spread = strtok_r(NULL, " ", &rest);
    Shape shape = {0};
    if (!name || !centre || !spread)
        return NULL;
    for (char *word; shape.rank < 4 && (word = strtok_r(NULL, " ", &rest)); shape.rank++)
        shape.dim[shape.rank] = strtoll(word, NULL, 10);
    blob_builder_random(builder, name, shape, DRAWN_SEED, strtof(centre, NULL),
                        strtof(spread, NULL));
    return name;
}

bool drawn_about(BlobBuilder *builder, char *text)
{
    char *value = strchr(text, ' ');
    if (!value)
        return false;
    *value = 0;
    blob_builder_about(builder, text, value + 1);
    return true;
}

bool drawn_network(const char *name, int64_t side, const char *path)
{
    return drawn_network_with(name, side, NULL, NULL, path);
}

bool drawn_network_with(const char *name, int64_t side, const char *key, const char *value,
                        const char *path)
{
    Bytes file = {0};
    char  reference[128];
    snprintf(reference, sizeof reference, "tests/parity/golden/%s-relu.txt", name);
    if (!file_read(reference, LIMIT_TEXT_FILE, &file, NULL))
        return false;
    BlobBuilder *builder = blob_builder_new(name, side, side);
    char        *text = memory_text((const char *)file.data, NULL), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, "tensor ", 7) == 0)
            drawn_tensor(builder, line + 7);
        else if (strncmp(line, "about ", 6) == 0)
            drawn_about(builder, line + 6);
    if (key && value)
        blob_builder_about(builder, key, value);
    bool ok = blob_builder_save(builder, path, NULL);
    blob_builder_free(builder);
    memory_free(text);
    bytes_close(&file);
    return ok;
}
