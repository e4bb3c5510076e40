/* models/embedded.c - see embedded.h. The assembler takes the files in; the Makefile knows that
 * this file depends on them. */
#include "embedded.h"

#include <stdio.h>
#include <string.h>

#define EMBED(symbol, file)                                                                        \
    __asm__(".pushsection .rodata.embedded,\"a\",%progbits\n"                                      \
            ".globl " #symbol "_start\n.globl " #symbol "_end\n"                                   \
            ".balign 64\n" #symbol "_start:\n.incbin \"" file "\"\n" #symbol "_end:\n.byte 0\n"    \
            ".popsection\n");                                                                      \
    extern const unsigned char symbol##_start[] __attribute__((visibility("hidden"))),             \
        symbol##_end[] __attribute__((visibility("hidden")))

EMBED(embedded_clip, "models/zoo/towers.nw");
EMBED(embedded_captioner, "models/zoo/captioner.nw");

static const struct {
    const char          *name;
    const unsigned char *start, *end;
} blobs[] = {
    {"clip", embedded_clip_start, embedded_clip_end},
    {"captioner", embedded_captioner_start, embedded_captioner_end},
};

const void *embedded_blob(const char *name, size_t *size)
{
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
        if (strcmp(blobs[i].name, name) == 0) {
            *size = (size_t)((uintptr_t)blobs[i].end - (uintptr_t)blobs[i].start);
            return blobs[i].start;
        }
    return NULL;
}

bool embedded_open(const char *name, WeightBlob **out, Error *error)
{
    char        path[64];
    size_t      size = 0;
    const void *data = embedded_blob(name, &size);
    if (!data)
        return fail(error, ERROR_USAGE, "no blob '%.40s' is built in", name);
    snprintf(path, sizeof path, "built-in %s", name);
    return blob_open_memory(path, data, size, out, error);
}

bool blob_open_or_embedded(const char *path, const char *name, WeightBlob **out, Error *error)
{
    return path ? blob_open(path, out, error) : embedded_open(name, out, error);
}
