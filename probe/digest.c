/* probe/digest.c - the digest of what the files of a set hold. */
#include "probe.h"

#include "../base/digest.h"
#include "../base/file.h"
#include "../base/loop_errors.h"
#include "../base/parallel.h"

#include <stdio.h>

enum { TEXT = 65 };

typedef struct Reading {
    const ProbeSet *probe;
    bool            with_maps;
    char           *text; // [image_count, TEXT]
    LoopErrors      errors;
} Reading;

// And releases them. Their number goes first, so that a byte cannot move from one file to the next.
static void add_bytes(Sha256 *sha, Bytes *bytes)
{
    uint64_t size = bytes->size;
    sha256_add(sha, &size, sizeof size);
    sha256_add(sha, bytes->data, bytes->size);
    bytes_close(bytes);
}

static bool add_file(const ProbeSet *probe, const char *relative, Sha256 *sha, Error *error)
{
    char  folder[LIMIT_PATH];
    Bytes bytes = {0};
    if (!probe_picture_folder(probe, folder, error) ||
        !file_read_below(folder, relative, LIMIT_IMAGE_FILE, &bytes, error))
        return false;
    add_bytes(sha, &bytes);
    return true;
}

static void read_one(void *data, int64_t image, int thread)
{
    Reading          *reading = data;
    const ProbeSet   *probe   = reading->probe;
    const ProbeImage *entry   = &probe->images[image];
    Sha256            sha;
    Error             failure = {0};
    sha256_start(&sha);
    bool ok = add_file(probe, probe_image_path(probe, image), &sha, &failure);
    for (int32_t i = 0; ok && reading->with_maps && i < entry->item_count; i++) {
        const ProbeItem *item = &probe->items[entry->first_item + i];
        if (item->label < 0)
            ok = add_file(probe, probe->text + item->path, &sha, &failure);
    }
    sha256_text(&sha, reading->text + image * TEXT);
    if (!ok)
        loop_errors_add(&reading->errors, image, thread, &failure);
}

static bool add_table(const ProbeSet *probe, const char *name, Sha256 *sha, Error *error)
{
    char  path[LIMIT_PATH];
    Bytes bytes = {0};
    if (!path_join(path, probe->folder, name, error) ||
        !file_read(path, LIMIT_TEXT_FILE, &bytes, error))
        return false;
    add_bytes(sha, &bytes);
    return true;
}

bool probe_tables_sha256(const ProbeSet *probe, char out[65], Error *error)
{
    char   name[LIMIT_PATH];
    Sha256 sha;
    sha256_start(&sha);
    bool ok =
        add_table(probe, "category.csv", &sha, error) && add_table(probe, "label.csv", &sha, error);
    for (int i = 0; ok && i < probe->category_count; i++) {
        snprintf(name, sizeof name, "c_%s.csv", probe->category[i]);
        ok = add_table(probe, name, &sha, error);
    }
    sha256_text(&sha, out);
    return ok;
}

bool probe_files_sha256(const ProbeSet *probe, bool with_maps, char out[65], Error *error)
{
    Reading reading = {.probe = probe, .with_maps = with_maps};
    Sha256  sha;
    reading.text = memory_new((size_t)probe->image_count * TEXT, 1, error);
    bool ok      = reading.text && loop_errors_open(&reading.errors, error);
    if (ok) {
        parallel_for(probe->image_count, read_one, &reading);
        ok = loop_errors_check(&reading.errors, error);
    }
    if (ok) {
        sha256_start(&sha);
        sha256_add(&sha, reading.text, (size_t)probe->image_count * TEXT);
        sha256_text(&sha, out);
    }
    loop_errors_close(&reading.errors);
    memory_free(reading.text);
    return ok;
}
