/* probe/photos.c - a probing set of photos alone: a folder of them, or of folders of them. */
#include "probe.h"

#include "../base/digest.h"
#include "../base/file.h"
#include "../base/parallel.h"
#include "picture.h"

#include <stdio.h>
#include <string.h>

/* ---- what there is --------------------------------------------------------------------------- */

typedef struct PhotoList {
    ProbeSet *probe;
    int64_t   limit; // 0: none
    size_t    text_used, text_room, image_room;
} PhotoList;

static bool is_full(const PhotoList *list)
{
    return list->limit && list->probe->image_count == list->limit;
}

// Room for one photo more, whose path has `size` bytes with its zero.
static bool make_room(PhotoList *list, size_t size, Error *error)
{
    ProbeSet *probe = list->probe;
    size_t    count = (size_t)probe->image_count, needed = list->text_used + size;
    if (needed > INT32_MAX || count == LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "%s: has more than %d photos, or their names are too long",
                    probe->folder, LIMIT_CSV_ROWS);
    if (count == list->image_room) {
        size_t      room  = count ? 2 * count : 256;
        ProbeImage *moved = memory_grow(probe->images, count, room, sizeof *moved, error);
        if (!moved)
            return false;
        probe->images    = moved;
        list->image_room = room;
    }
    if (needed > list->text_room) {
        size_t room  = 2 * needed + 4096;
        char  *moved = memory_grow(probe->text, list->text_used, room, 1, error);
        if (!moved)
            return false;
        probe->text     = moved;
        list->text_room = room;
    }
    return true;
}

// `between`: the class folder with its slash, or "".
static bool add_photo(PhotoList *list, const char *between, const char *name, Error *error)
{
    ProbeSet *probe = list->probe;
    char      path[LIMIT_PATH];
    int       length = snprintf(path, sizeof path, "%s%s", between, name);
    if (length < 0 || length >= LIMIT_PATH || !path_is_plain(path))
        return fail(error, ERROR_DATA, "%s: '%.100s' is no plain name of a photo", probe->folder,
                    path);
    if (!make_room(list, (size_t)length + 1, error))
        return false;
    memcpy(probe->text + list->text_used, path, (size_t)length + 1);
    probe->images[probe->image_count] = (ProbeImage){
        .path = (int32_t)list->text_used, .row = (int32_t)probe->image_count, .line = 0};
    probe->image_count++;
    list->text_used += (size_t)length + 1;
    return true;
}

static bool add_folder(PhotoList *list, const char *between, char *const *names, int64_t count,
                       Error *error)
{
    for (int64_t i = 0; i < count && !is_full(list); i++)
        if (picture_is_named(names[i]) && !add_photo(list, between, names[i], error))
            return false;
    return true;
}

static bool add_class(PhotoList *list, const char *name, Error *error)
{
    char    path[LIMIT_PATH], between[LIMIT_PATH];
    char  **names  = NULL;
    int64_t count  = 0;
    int     length = snprintf(between, sizeof between, "%s/", name);
    if (!path_join(path, list->probe->folder, name, error))
        return false;
    if (!folder_exists(path) || length < 0 || length >= LIMIT_PATH)
        return true;
    bool ok =
        folder_list(path, &names, &count, error) && add_folder(list, between, names, count, error);
    names_free(names, count);
    return ok;
}

// The folder's own photos, then those of its folders: names in byte order.
static bool list_photos(PhotoList *list, Error *error)
{
    ProbeSet *probe = list->probe;
    char    **names = NULL;
    int64_t   count = 0;
    bool      ok    = folder_list(probe->folder, &names, &count, error) &&
              add_folder(list, "", names, count, error);
    for (int64_t i = 0; ok && i < count && !is_full(list); i++)
        ok = add_class(list, names[i], error);
    names_free(names, count);
    if (ok && probe->image_count == 0)
        return fail(error, ERROR_NOT_FOUND,
                    "%s: has no photo in it, nor in a folder in it; expected .png and .jpg files, "
                    "or a probing set in Broden's layout",
                    probe->folder);
    return ok;
}

/* ---- opening --------------------------------------------------------------------------------- */

bool probe_open_photos(ProbeSet *out, const char *folder, const Preparation *preparation,
                       int64_t limit, Error *error)
{
    ProbeSet  probe = {.fit = preparation, .is_photos = true, .label_count = 1};
    PhotoList list  = {.probe = &probe, .limit = limit};
    Sha256    sha;
    if (!folder_exists(folder))
        return fail(error, ERROR_NOT_FOUND, "%s: there is no such folder, expected photos", folder);
    probe.folder = memory_text(folder, error);
    probe.labels = memory_new(1, sizeof *probe.labels, error);
    if (probe.labels)
        probe.labels[0].name = memory_text("", error);
    if (!probe.folder || !probe.labels || !probe.labels[0].name || !list_photos(&list, error)) {
        probe_close(&probe);
        return false;
    }
    if (preparation) {
        probe.image_height = probe.map_height = preparation->height;
        probe.image_width = probe.map_width = preparation->width;
    }
    sha256_start(&sha);
    sha256_add(&sha, probe.text, list.text_used);
    sha256_text(&sha, probe.index_sha256);
    *out = probe;
    return true;
}

/* ---- checking -------------------------------------------------------------------------------- */

enum { BLOCK = 64 };

typedef struct Look {
    const ProbeSet *probe;
    int64_t         first;
    Error           found[BLOCK];
} Look;

static void look_at(void *data, int64_t index, int thread)
{
    Look *look = data;
    Image rgb  = {0};
    (void)thread;
    if (probe_picture(look->probe, look->first + index, &rgb, &look->found[index]))
        image_free(&rgb);
}

bool probe_verify_photos(const ProbeSet *probe, void (*report)(void *self, const char *problem),
                         void *self, int64_t *problems, Error *error)
{
    Look *look = memory_new(1, sizeof *look, error);
    if (!look)
        return false;
    *problems   = 0;
    look->probe = probe;
    for (int64_t first = 0; first < probe->image_count; first += BLOCK) {
        int64_t count = probe->image_count - first < BLOCK ? probe->image_count - first : BLOCK;
        look->first   = first;
        memset(look->found, 0, sizeof look->found);
        parallel_for(count, look_at, look);
        for (int64_t i = 0; i < count; i++)
            if (look->found[i].code != ERROR_NONE) {
                ++*problems;
                report(self, look->found[i].message);
            }
    }
    memory_free(look);
    return true;
}
