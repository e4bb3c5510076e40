/* mini/write.c - the mini world on disk, in Broden's layout. */
#include "labels.h"

#include "../base/file.h"
#include "../image/image.h"

#include <stdio.h>
#include <string.h>

static const char *const category_names[MINI_CATEGORIES] = {"color",    "object", "part",
                                                            "material", "scene",  "texture"};

// The category whose column holds a map, and what its file name ends with.
static const struct {
    MiniCategory category;
    const char  *suffix;
} maps[MINI_MAPS] = {
    [MINI_MAP_COLOR] = {MINI_COLOR, "color"},          [MINI_MAP_OBJECT] = {MINI_OBJECT, "object"},
    [MINI_MAP_PART] = {MINI_PART, "part_1"},           [MINI_MAP_SUBPART] = {MINI_PART, "part_2"},
    [MINI_MAP_MATERIAL] = {MINI_MATERIAL, "material"},
};

typedef struct Counts {
    int64_t images[MINI_CATEGORIES][LABEL_COUNT];
    int64_t cells[MINI_CATEGORIES][LABEL_COUNT];
} Counts;

typedef struct Set {
    const char *folder;
    uint64_t    seed;
    Writer     *index;
    Counts      counts;
} Set;

/* ---- pictures -------------------------------------------------------------------------------- */

static bool publish_below(const Set *set, const char *name, const uint8_t *data, size_t size,
                          Error *error)
{
    char relative[128], path[LIMIT_PATH];
    snprintf(relative, sizeof relative, "images/%s", name);
    return path_join(path, set->folder, relative, error) && file_publish(path, data, size, error);
}

static bool write_photo(const Set *set, const char *name, MiniImage *image, Error *error)
{
    Image    photo = {MINI_SIDE, MINI_SIDE, 3, false, 1, image->pixels};
    uint8_t *data  = NULL;
    size_t   size  = 0;
    bool     ok    = jpeg_encode(&photo, MINI_QUALITY, JPEG_444, &data, &size, error) &&
              publish_below(set, name, data, size, error);
    memory_free(data);
    return ok;
}

// Label numbers fit into red: all are below 256.
static bool write_map(const Set *set, const char *name, const uint8_t labels[MINI_CELLS],
                      Error *error)
{
    uint8_t  pixels[MINI_CELLS * 3] = {0};
    Image    map                    = {MINI_MAP, MINI_MAP, 3, false, 1, pixels};
    uint8_t *data                   = NULL;
    size_t   size                   = 0;
    for (int cell = 0; cell < MINI_CELLS; cell++)
        pixels[3 * cell] = labels[cell];
    bool ok = png_encode(&map, &data, &size, error) && publish_below(set, name, data, size, error);
    memory_free(data);
    return ok;
}

static bool is_blank(const uint8_t labels[MINI_CELLS])
{
    for (int cell = 0; cell < MINI_CELLS; cell++)
        if (labels[cell])
            return false;
    return true;
}

/* ---- one row of the index -------------------------------------------------------------------- */

typedef struct Row {
    char cells[MINI_CATEGORIES][96];            // items separated by ;
    int  present[MINI_CATEGORIES][LABEL_COUNT]; // cells of each label in this image
} Row;

static void add_item(Row *row, MiniCategory category, const char *item)
{
    char  *cell = row->cells[category];
    size_t used = strlen(cell);
    snprintf(cell + used, sizeof row->cells[0] - used, "%s%s", used ? ";" : "", item);
}

static void add_whole(Row *row, MiniCategory category, int label)
{
    char item[16];
    snprintf(item, sizeof item, "%d", label);
    add_item(row, category, item);
    row->present[category][label] += MINI_CELLS;
}

static void add_counts(Counts *counts, const Row *row)
{
    for (int category = 0; category < MINI_CATEGORIES; category++)
        for (int label = 1; label < LABEL_COUNT; label++) {
            counts->images[category][label] += row->present[category][label] > 0;
            counts->cells[category][label] += row->present[category][label];
        }
}

static bool write_image(Set *set, int64_t index, Error *error)
{
    MiniImage image;
    Row       row = {0};
    char      base[48], name[64];
    mini_draw(set->seed, index, &image);
    snprintf(base, sizeof base, "mini/%06lld", (long long)index);
    snprintf(name, sizeof name, "%s.jpg", base);
    if (!write_photo(set, name, &image, error))
        return false;
    for (int map = 0; map < MINI_MAPS; map++) {
        if (is_blank(image.maps[map]))
            continue;
        snprintf(name, sizeof name, "%s_%s.png", base, maps[map].suffix);
        if (!write_map(set, name, image.maps[map], error))
            return false;
        add_item(&row, maps[map].category, name);
        for (int cell = 0; cell < MINI_CELLS; cell++)
            row.present[maps[map].category][image.maps[map][cell]]++;
    }
    if (image.backdrop)
        add_whole(&row, MINI_OBJECT, image.backdrop);
    if (!image.is_board)
        add_whole(&row, MINI_SCENE, image.scene);
    for (int i = 0; i < 2; i++)
        if (image.textures[i])
            add_whole(&row, MINI_TEXTURE, image.textures[i]);
    add_counts(&set->counts, &row);
    writer_text(set->index, "%s.jpg,%s,%d,%d,%d,%d", base, index % 10 < 7 ? "train" : "val",
                MINI_SIDE, MINI_SIDE, MINI_MAP, MINI_MAP);
    for (int category = 0; category < MINI_CATEGORIES; category++)
        writer_text(set->index, ",%s", row.cells[category]);
    writer_text(set->index, "\n");
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool open_table(Writer **out, const Set *set, const char *name, const char *header,
                       Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, set->folder, name, error) || !writer_open(out, path, error))
        return false;
    writer_text(*out, "%s\n", header);
    return true;
}

static double coverage(int64_t cells)
{
    return (double)cells / MINI_CELLS;
}

// Categories of a label with their counts, the most frequent first, as Broden's builder prints
// them.
static void category_list(const Counts *counts, int label, char out[128])
{
    bool   is_listed[MINI_CATEGORIES] = {0};
    size_t used                       = 0;
    out[0]                            = 0;
    for (;;) {
        int best = -1;
        for (int g = 0; g < MINI_CATEGORIES; g++)
            if (!is_listed[g] && counts->images[g][label] > 0 &&
                (best < 0 || counts->images[g][label] > counts->images[best][label]))
                best = g;
        if (best < 0)
            return;
        is_listed[best] = true;
        used += (size_t)snprintf(out + used, 128 - used, "%s%s(%lld)", used ? ";" : "",
                                 category_names[best], (long long)counts->images[best][label]);
    }
}

static bool write_labels(const Set *set, Error *error)
{
    Writer *writer = NULL;
    char    list[128];
    if (!open_table(&writer, set, "label.csv", "number,name,category,frequency,coverage,syns",
                    error))
        return false;
    for (int label = 1; label < LABEL_COUNT; label++) {
        int64_t images = 0, cells = 0;
        for (int g = 0; g < MINI_CATEGORIES; g++) {
            images += set->counts.images[g][label];
            cells += set->counts.cells[g][label];
        }
        category_list(&set->counts, label, list);
        writer_text(writer, "%d,%s,%s,%lld,%.6f,\n", label, mini_label_name(label), list,
                    (long long)images, coverage(cells));
    }
    return writer_publish(writer, error);
}

// c_<category>.csv, and its row of category.csv.
static bool write_category(const Set *set, int category, Writer *table, Error *error)
{
    const int64_t *images = set->counts.images[category];
    Writer        *writer = NULL;
    char           name[32];
    int            code = 0, first = 0, last = 0;
    int64_t        total                  = 0;
    bool           is_listed[LABEL_COUNT] = {0};
    snprintf(name, sizeof name, "c_%s.csv", category_names[category]);
    if (!open_table(&writer, set, name, "code,number,name,frequency,coverage", error))
        return false;
    for (;;) {
        int best = 0; // the most frequent label that is left
        for (int label = 1; label < LABEL_COUNT; label++)
            if (!is_listed[label] && images[label] > (best ? images[best] : 0))
                best = label;
        if (!best)
            break;
        is_listed[best] = true;
        first           = first && first < best ? first : best;
        last            = last > best ? last : best;
        total += images[best];
        writer_text(writer, "%d,%d,%s,%lld,%.10f\n", ++code, best, mini_label_name(best),
                    (long long)images[best], coverage(set->counts.cells[category][best]));
    }
    writer_text(table, "%s,%d,%d,%d,%lld\n", category_names[category], first, last, code,
                (long long)total);
    return writer_publish(writer, error);
}

static bool write_tables(const Set *set, Error *error)
{
    Writer *table = NULL;
    if (!write_labels(set, error) ||
        !open_table(&table, set, "category.csv", "name,first,last,count,frequency", error))
        return false;
    for (int category = 0; category < MINI_CATEGORIES; category++)
        if (!write_category(set, category, table, error)) {
            writer_discard(table);
            return false;
        }
    return writer_publish(table, error);
}

/* ---- the set --------------------------------------------------------------------------------- */

bool mini_write(const char *folder, uint64_t seed, int64_t images,
                bool (*progress)(void *self, int64_t done, int64_t total), void *self, Error *error)
{
    char path[LIMIT_PATH];
    Set  set = {.folder = folder, .seed = seed};
    if (!path_join(path, folder, "images/mini", error) || !folder_create(path, error) ||
        !open_table(&set.index, &set, "index.csv",
                    "image,split,ih,iw,sh,sw,color,object,part,material,scene,texture", error))
        return false;
    for (int64_t i = 0; i < images; i++) {
        bool ok = write_image(&set, i, error);
        if (ok && progress && !progress(self, i + 1, images))
            ok = fail(error, ERROR_AGAIN, "%s: stopped after %lld of %lld images", folder,
                      (long long)i + 1, (long long)images);
        if (!ok) {
            writer_discard(set.index);
            return false;
        }
    }
    if (!write_tables(&set, error)) {
        writer_discard(set.index);
        return false;
    }
    return writer_publish(set.index, error);
}
