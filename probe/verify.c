/* probe/verify.c - is a probing set what its tables say? Every file, label and count (D28).
 *
 * Counts are taken at label-map resolution, as Broden's builder takes them: the coverage of a label
 * in a category is a sum of pixel fractions, to be met up to the digits printed. Its frequency
 * counts images per source label, and labels can have been merged, so fewer images are a problem
 * only when coverage is missing with them. */
#include "probe.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../format/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VERIFY_BLOCK = 64 };

typedef struct Verifier {
    const ProbeSet *probe;
    void (*report)(void *self, const char *problem);
    void     *self;
    int64_t   problems;
    size_t    cells;  // [category_count * label_count] of each of the following
    uint64_t *pixels; // [threads, categories, labels]
    uint64_t *images; // [threads, categories, labels]
    uint32_t *counts; // [threads, categories, labels] of one image
    uint16_t *maps;   // [threads, map_height, map_width]
    uint8_t  *photos; // [threads, image_height, image_width, 3]
    int       threads;
    Error    *found; // of the block: for each image its photo, then its items
    int64_t   first;
} Verifier;

static void problem(Verifier *verifier, const char *text)
{
    verifier->problems++;
    if (verifier->report)
        verifier->report(verifier->self, text);
}

/* ---- files ----------------------------------------------------------------------------------- */

static Error *slot_of(const Verifier *verifier, int64_t image)
{
    const ProbeImage *images = verifier->probe->images;
    return verifier->found + (image - verifier->first) +
           (images[image].first_item - images[verifier->first].first_item);
}

static bool check_item(Verifier *verifier, const ProbeItem *item, uint16_t *map, uint32_t *counts,
                       Error *error)
{
    const ProbeSet *probe = verifier->probe;
    int64_t         cells = probe->map_height * probe->map_width;
    bool            blue  = false;
    counts += (size_t)item->category * (size_t)probe->label_count;
    if (item->label >= 0) {
        counts[item->label] += (uint32_t)cells;
        return true;
    }
    if (!probe_map(probe, item, map, &blue, error))
        return false;
    for (int64_t i = 0; i < cells; i++)
        counts[map[i]]++;
    return !blue || fail(error, ERROR_DATA, "%s/images/%s: has a pixel whose blue is not 0",
                         probe->folder, probe->text + item->path);
}

static void check_image(void *data, int64_t index, int thread)
{
    Verifier         *verifier = data;
    const ProbeSet   *probe    = verifier->probe;
    const ProbeImage *image    = &probe->images[verifier->first + index];
    Error            *found    = slot_of(verifier, verifier->first + index);
    size_t            at       = (size_t)thread * verifier->cells;
    size_t            map      = (size_t)probe->map_height * (size_t)probe->map_width;
    size_t            photo    = (size_t)probe->image_height * (size_t)probe->image_width * 3;
    memset(verifier->counts + at, 0, verifier->cells * sizeof *verifier->counts);
    probe_photo(probe, verifier->first + index, verifier->photos + (size_t)thread * photo, found);
    for (int32_t i = 0; i < image->item_count; i++)
        check_item(verifier, &probe->items[image->first_item + i],
                   verifier->maps + (size_t)thread * map, verifier->counts + at, found + 1 + i);
    for (size_t i = 0; i < verifier->cells; i++) {
        verifier->pixels[at + i] += verifier->counts[at + i];
        verifier->images[at + i] += verifier->counts[at + i] > 0;
    }
}

static bool check_files(Verifier *verifier, Error *error)
{
    const ProbeSet *probe = verifier->probe;
    for (int64_t first = 0; first < probe->image_count; first += VERIFY_BLOCK) {
        int64_t count          = probe->image_count - first;
        count                  = count < VERIFY_BLOCK ? count : VERIFY_BLOCK;
        verifier->first        = first;
        const ProbeImage *last = &probe->images[first + count - 1];
        int64_t           slots =
            count + last->first_item + last->item_count - probe->images[first].first_item;
        verifier->found = memory_new((size_t)slots, sizeof *verifier->found, error);
        if (!verifier->found)
            return false;
        parallel_for(count, check_image, verifier);
        for (int64_t i = 0; i < slots; i++)
            if (verifier->found[i].code != ERROR_NONE)
                problem(verifier, verifier->found[i].message);
        memory_free(verifier->found);
    }
    for (int thread = 1; thread < verifier->threads; thread++)
        for (size_t i = 0; i < verifier->cells; i++) {
            verifier->pixels[i] += verifier->pixels[(size_t)thread * verifier->cells + i];
            verifier->images[i] += verifier->images[(size_t)thread * verifier->cells + i];
        }
    return true;
}

/* ---- labels and counts ----------------------------------------------------------------------- */

static void check_labels(Verifier *verifier)
{
    const ProbeSet *probe = verifier->probe;
    char            text[512];
    for (int32_t label = 1; label < probe->label_count; label++) {
        const char *name   = probe->labels[label].name;
        uint64_t    pixels = 0;
        for (int category = 0; category < probe->category_count; category++)
            pixels +=
                verifier->pixels[(size_t)category * (size_t)probe->label_count + (size_t)label];
        if (!probe->labels[label].is_listed && pixels > 0) {
            snprintf(text, sizeof text, "%.200s/label.csv: lacks label %d, which has %llu pixels",
                     probe->folder, label, (unsigned long long)pixels);
            problem(verifier, text);
        }
        int32_t first = probe_label_named(probe, name, -1);
        if (first != label) {
            snprintf(text, sizeof text,
                     "%.200s/label.csv: labels %d and %d are both called '%.60s'", probe->folder,
                     first, label, name);
            problem(verifier, text);
        }
    }
}

// One row of c_<category>.csv against what was counted.
static bool check_row(Verifier *verifier, const Csv *csv, int64_t row, const int columns[4],
                      int category, double *frequency, Error *error)
{
    const ProbeSet *probe  = verifier->probe;
    int64_t         number = 0;
    double          images = 0, coverage = 0;
    char            text[512];
    if (!csv_whole(csv, row, columns[0], 0, probe->label_count - 1, &number, error) ||
        !csv_number(csv, row, columns[2], &images, error) ||
        !csv_number(csv, row, columns[3], &coverage, error))
        return false;
    size_t at    = (size_t)category * (size_t)probe->label_count + (size_t)number;
    double found = (double)verifier->pixels[at] / (double)(probe->map_height * probe->map_width);
    bool   short_of_coverage = fabs(found - coverage) > 1e-4 + 1e-6 * coverage;
    frequency[number] += images;
    if (strcmp(csv_text(csv, row, columns[1]), probe->labels[number].name) != 0) {
        snprintf(text, sizeof text,
                 "%.200s/c_%.60s.csv: label %lld is called '%.60s', in label.csv '%.60s'",
                 probe->folder, probe->category[category], (long long)number,
                 csv_text(csv, row, columns[1]), probe->labels[number].name);
        problem(verifier, text);
    }
    if ((double)verifier->images[at] > images || short_of_coverage) {
        snprintf(text, sizeof text,
                 "%.200s: label %lld '%.60s' (%.60s) covers %.6f images and occurs in %llu, "
                 "c_%.60s.csv says %.6f and %.0f",
                 probe->folder, (long long)number, probe->labels[number].name,
                 probe->category[category], found, (unsigned long long)verifier->images[at],
                 probe->category[category], coverage, images);
        problem(verifier, text);
    }
    verifier->images[at] = 0; // accounted for
    return true;
}

static bool check_category(Verifier *verifier, int category, double *frequency, Error *error)
{
    static const char *const names[4] = {"number", "name", "frequency", "coverage"};
    const ProbeSet          *probe    = verifier->probe;
    char                     name[LIMIT_PATH], path[LIMIT_PATH], text[512];
    Bytes                    bytes = {0};
    Csv                     *csv   = NULL;
    int                      columns[4];
    snprintf(name, sizeof name, "c_%s.csv", probe->category[category]);
    bool ok = path_join(path, probe->folder, name, error) &&
              file_read_below(probe->folder, name, LIMIT_TEXT_FILE, &bytes, error) &&
              csv_open(&csv, bytes.data, bytes.size, path, error);
    for (int i = 0; ok && i < 4; i++)
        ok = csv_need(csv, names[i], &columns[i], error);
    for (int64_t row = 0; ok && row < csv_row_count(csv); row++)
        ok = check_row(verifier, csv, row, columns, category, frequency, error);
    for (int32_t label = 1; ok && label < probe->label_count; label++)
        if (verifier->images[(size_t)category * (size_t)probe->label_count + (size_t)label] > 0) {
            snprintf(text, sizeof text, "%.300s: label %d '%.60s' occurs, but is not listed", path,
                     label, probe->labels[label].name);
            problem(verifier, text);
        }
    csv_close(csv);
    bytes_close(&bytes);
    return ok;
}

static bool check_counts(Verifier *verifier, Error *error)
{
    const ProbeSet *probe     = verifier->probe;
    double         *frequency = memory_new((size_t)probe->label_count, sizeof *frequency, error);
    bool            ok        = frequency != NULL;
    char            text[512];
    for (int category = 0; ok && category < probe->category_count; category++)
        ok = check_category(verifier, category, frequency, error);
    for (int32_t label = 1; ok && label < probe->label_count; label++)
        if (frequency[label] != probe->labels[label].frequency) {
            snprintf(text, sizeof text,
                     "%.200s/label.csv: label %d '%.60s' has frequency %.0f, its categories add up "
                     "to %.0f",
                     probe->folder, label, probe->labels[label].name,
                     probe->labels[label].frequency, frequency[label]);
            problem(verifier, text);
        }
    memory_free(frequency);
    return ok;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool verifier_open(Verifier *verifier, Error *error)
{
    const ProbeSet *probe   = verifier->probe;
    size_t          threads = (size_t)parallel_threads(), all = 0, maps = 0, photos = 0;
    verifier->threads = (int)threads;
    verifier->cells   = (size_t)probe->category_count * (size_t)probe->label_count;
    if (!size_mul(verifier->cells, threads, &all) ||
        !size_mul((size_t)(probe->map_height * probe->map_width), threads, &maps) ||
        !size_mul((size_t)(probe->image_height * probe->image_width) * 3, threads, &photos))
        return fail(error, ERROR_MEMORY, "%s: no memory to verify it", probe->folder);
    verifier->pixels = memory_new(all, sizeof *verifier->pixels, error);
    verifier->images = memory_new(all, sizeof *verifier->images, error);
    verifier->counts = memory_new(all, sizeof *verifier->counts, error);
    verifier->maps   = memory_new(maps, sizeof *verifier->maps, error);
    verifier->photos = memory_new(photos, sizeof *verifier->photos, error);
    return verifier->pixels && verifier->images && verifier->counts && verifier->maps &&
           verifier->photos;
}

static void tell_twice(void *self, int64_t first, int64_t again)
{
    Verifier       *verifier = self;
    const ProbeSet *probe    = verifier->probe;
    char            text[512];
    snprintf(text, sizeof text, "%.200s/index.csv: line %d: '%.200s' is in line %d already",
             probe->folder, probe->images[again].line, probe_image_path(probe, again),
             probe->images[first].line);
    problem(verifier, text);
}

bool probe_verify(const ProbeSet *probe, void (*report)(void *self, const char *problem),
                  void *self, int64_t *problems, uint64_t *pixels, Error *error)
{
    Verifier verifier = {.probe = probe, .report = report, .self = self};
    bool     ok       = verifier_open(&verifier, error) &&
              probe_find_twice(probe, tell_twice, &verifier, error) &&
              check_files(&verifier, error);
    if (ok)
        check_labels(&verifier);
    for (int32_t label = 0; ok && pixels && label < probe->label_count; label++) {
        pixels[label] = 0;
        for (int category = 0; category < probe->category_count && label > 0; category++)
            pixels[label] +=
                verifier.pixels[(size_t)category * (size_t)probe->label_count + (size_t)label];
    }
    if (ok && probe->is_whole)
        ok = check_counts(&verifier, error);
    if (ok)
        *problems = verifier.problems;
    memory_free(verifier.pixels);
    memory_free(verifier.images);
    memory_free(verifier.counts);
    memory_free(verifier.maps);
    memory_free(verifier.photos);
    return ok;
}
