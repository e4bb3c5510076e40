/* tests/fuzz/fuzz_probe.c - the tables of a probing set, each ended by a record separator (0x1e).
 */
#include "../../base/file.h"
#include "../../probe/probe.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TABLES = 5 };

static const char *const tables[TABLES] = {"category.csv", "label.csv", "c_color.csv",
                                           "c_object.csv", "index.csv"};
static char              folder[64];
static int               handles[TABLES];

static void folder_close(void)
{
    char path[128];
    for (int i = 0; i < TABLES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, tables[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void folder_open(void)
{
    if (folder[0])
        return;
    snprintf(folder, sizeof folder, "/dev/shm/nemesis-fuzz-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    for (int i = 0; i < TABLES; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, tables[i]);
        handles[i] = open(path, O_RDWR | O_CREAT, 0600);
        if (handles[i] < 0)
            abort();
    }
    atexit(folder_close);
}

static void check_set(const ProbeSet *probe)
{
    FUZZ_CHECK(probe->image_count > 0 && probe->category_count > 0);
    FUZZ_CHECK(probe->map_height > 0 && probe->map_width > 0);
    for (int64_t i = 0; i < probe->image_count; i++) {
        FUZZ_CHECK(path_is_plain(probe_image_path(probe, i)));
        for (int k = 0; k < probe->images[i].item_count; k++) {
            const ProbeItem *item = &probe->items[probe->images[i].first_item + k];
            FUZZ_CHECK(item->label < probe->label_count);
            FUZZ_CHECK(item->category >= 0 && item->category < probe->category_count);
            FUZZ_CHECK(item->label >= 0 || path_is_plain(probe->text + item->path));
        }
    }
    for (int32_t i = 0; i < probe->label_count; i++)
        FUZZ_CHECK(probe->labels[i].name && probe->labels[i].category < probe->category_count);
}

void fuzz_probe(const uint8_t *data, size_t size)
{
    ProbeSet probe      = {0};
    size_t   size_given = size;
    folder_open();
    for (int i = 0; i < TABLES; i++) {
        const uint8_t *end    = size ? memchr(data, 0x1e, size) : NULL;
        size_t         length = end ? (size_t)(end - data) : size;
        if (pwrite(handles[i], data, length, 0) != (ssize_t)length ||
            ftruncate(handles[i], (off_t)length) != 0)
            abort();
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    static const char *const  wanted[]   = {"object", "color"};
    static const ProbeRequest requests[] = {{.limit = -1},
                                            {.categories = wanted, .category_count = 2},
                                            {.without = "color", .limit = 1}};
    FUZZ_CHECK(!probe_open(&probe, folder, &requests[0], NULL));
    if (!probe_open(&probe, folder, size_given % 3 ? &requests[size_given % 3] : NULL, NULL))
        return;
    check_set(&probe);
    FUZZ_CHECK(probe_label_named(&probe, probe.labels[probe.label_count - 1].name, -1) > 0 ||
               !probe.labels[probe.label_count - 1].name[0]);
    FUZZ_CHECK(probe_category_named(&probe, "no such category") < 0);
    probe_close(&probe);
}
