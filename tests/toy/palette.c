/* tests/toy/palette.c - a method of everything that Network Dissection is not: descriptions are free
 * texts, they depend on pixels, on a file, and on what the clean run found of the whole set.
 *
 * A unit is described by the brightness of the images it is most active in, a word of a list each:
 * "dark pale pale". How bright an image is counts from the mean of all images of the clean run. */
#include "../../format/csv.h"
#include "../../nem/method.h"
#include "../../probe/stream.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 16, MOST_TOP = 8, TEXT = 512 };

typedef struct Palette {
    char     words[TEXT];
    char    *word[WORDS];
    int      word_count, top;
    bool     largest;   // the brightest pixel counts, not the mean
    bool     has_clean; // the two below are those of the clean run
    double   level;     // of all images
    int64_t *exemplars; // [units, top]
} Palette;

struct Evidence {
    int64_t  units;
    int      top;
    double   level;
    int32_t *label;     // [units]
    double  *score;     // [units]
    int64_t *exemplars; // [units, top]
};

/* ---- opening --------------------------------------------------------------------------------- */

static bool read_words(Palette *palette, const char *path, Error *error)
{
    Bytes bytes = {0};
    if (!path)
        return fail(error, ERROR_USAGE, "the method palette needs --words");
    if (!file_read(path, TEXT - 1, &bytes, error))
        return false;
    memcpy(palette->words, bytes.data, bytes.size);
    bytes_close(&bytes);
    for (char *word = strtok(palette->words, "\n"); word && palette->word_count < WORDS;
         word       = strtok(NULL, "\n"))
        palette->word[palette->word_count++] = word;
    return palette->word_count || fail(error, ERROR_DATA, "%s: has no words", path);
}

static bool open_palette(Explainer *explainer, Error *error)
{
    Palette *palette = memory_new(1, sizeof *palette, error);
    if (!palette)
        return false;
    explainer->state = palette;
    palette->top     = atoi(method_value(explainer, "top"));
    palette->largest = strcmp(method_value(explainer, "pool"), "max") == 0;
    if (palette->top > MOST_TOP || palette->top > explainer->inputs.probe->image_count)
        return fail(error, ERROR_USAGE, "--top: %d are too many", palette->top);
    return read_words(palette, method_value(explainer, "words"), error) &&
           labels_open_free(explainer->labels, "brightness", error);
}

static void close_palette(Explainer *explainer)
{
    Palette *palette = explainer->state;
    if (palette)
        memory_free(palette->exemplars);
    memory_free(palette);
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool brightness(const Explainer *explainer, const ImageSource *images, int64_t image,
                       float *room, double *out, Error *error)
{
    const Palette          *palette = explainer->state;
    const ActivationSource *layer   = &explainer->inputs.layer;
    int64_t                 count   = 3 * layer->image_height * layer->image_width;
    double                  sum = 0, most = 0;
    if (!images->load(images->self, image, room, error))
        return false;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)room[i];
        most = (double)room[i] > most ? (double)room[i] : most;
    }
    *out = palette->largest ? most : sum / (double)count;
    return true;
}

static void release(Evidence *evidence)
{
    if (!evidence)
        return;
    memory_free(evidence->label);
    memory_free(evidence->score);
    memory_free(evidence->exemplars);
    memory_free(evidence);
}

// Evidence of `units` units, with the level that brightness counts from.
static bool evidence_open(Evidence **out, const Explainer *explainer, int64_t units,
                          const ImageSource *images, float *room, Error *error)
{
    const Palette *palette  = explainer->state;
    int64_t        count    = explainer->inputs.probe->image_count;
    Evidence      *evidence = memory_new(1, sizeof *evidence, error);
    bool           done     = evidence != NULL;
    if (!done)
        return false;
    evidence->units     = units;
    evidence->top       = palette->top;
    evidence->level     = palette->level;
    evidence->label     = memory_new((size_t)units, sizeof *evidence->label, error);
    evidence->score     = memory_new((size_t)units, sizeof *evidence->score, error);
    evidence->exemplars = memory_new((size_t)(units * palette->top), sizeof(int64_t), error);
    done                = evidence->label && evidence->score && evidence->exemplars;
    for (int64_t image = 0; done && !palette->has_clean && image < count; image++) {
        double bright = 0;
        done          = brightness(explainer, images, image, room, &bright, error);
        evidence->level += bright / (double)count;
    }
    *out = evidence;
    return done;
}

// Fills one row from the peaks of its maps; those that are taken become -1.
static bool describe_row(const Explainer *explainer, Evidence *evidence, int64_t row, float *peaks,
                         const ImageSource *images, float *room, Error *error)
{
    const Palette *palette    = explainer->state;
    int64_t        count      = explainer->inputs.probe->image_count;
    char           text[TEXT] = "";
    for (int k = 0; k < palette->top; k++) {
        int64_t best   = 0;
        double  bright = 0;
        for (int64_t image = 1; image < count; image++)
            if (peaks[image] > peaks[best])
                best = image;
        if (!brightness(explainer, images, best, room, &bright, error))
            return false;
        int    word = (int)((bright / evidence->level) * 0.5 * palette->word_count);
        size_t used = strlen(text);
        word        = word < palette->word_count ? word : palette->word_count - 1;
        snprintf(text + used, sizeof text - used, "%s%s", k ? " " : "", palette->word[word]);
        evidence->score[row] += (double)peaks[best] / palette->top;
        evidence->exemplars[row * palette->top + k] = best;
        peaks[best]                                 = -1e30f;
    }
    return labels_intern(explainer->labels, text, &evidence->label[row], error);
}

typedef struct Peaks {
    const Explainer *explainer;
    float           *peaks; // [units, images]
    float           *room;  // of a map
} Peaks;

static bool take_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    const Peaks            *taken = self;
    const ActivationSource *layer = &taken->explainer->inputs.layer;
    int64_t                 cells = layer->height * layer->width,
            total                 = taken->explainer->inputs.probe->image_count;
    (void)error;
    for (int64_t i = 0; i < count * layer->units; i++)
        taken->peaks[i % layer->units * total + first + i / layer->units] =
            map_peak(map_floats(maps + i * cells, cells, taken->room), cells);
    return true;
}

static float *pixel_room(const Explainer *explainer, Error *error)
{
    const ActivationSource *layer = &explainer->inputs.layer;
    return memory_new((size_t)(layer->image_height * layer->image_width), 3 * sizeof(float), error);
}

static bool collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    Evidence **out, Error *error)
{
    const ActivationSource *layer = &explainer->inputs.layer;
    int64_t                 total = explainer->inputs.probe->image_count, units = layer->units;
    size_t       cells = (size_t)(layer->height * layer->width), size = (size_t)(units * total);
    Peaks        taken    = {explainer, memory_new(size, sizeof(float), error),
                             memory_new(cells, sizeof(float), error)};
    float       *room     = pixel_room(explainer, error);
    Evidence    *evidence = NULL;
    SnapshotPart state    = {taken.peaks, size * sizeof(float)};
    bool         done =
        taken.peaks && taken.room && room &&
        stream_sweep(&explainer->inputs, images, pass, take_batch, &taken, &state, 1, error) &&
        evidence_open(&evidence, explainer, units, images, room, error);
    for (int64_t unit = 0; done && unit < units; unit++)
        done = describe_row(explainer, evidence, unit, taken.peaks + unit * total, images, room,
                            error);
    memory_free(taken.peaks);
    memory_free(taken.room);
    memory_free(room);
    if (done)
        *out = evidence;
    else
        release(evidence);
    return done;
}

static bool collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                         Error *error)
{
    const ActivationSource *layer    = &explainer->inputs.layer;
    int64_t                 total    = explainer->inputs.probe->image_count;
    float                  *peaks    = memory_new((size_t)total, sizeof *peaks, error);
    float                  *room     = pixel_room(explainer, error);
    Evidence               *evidence = NULL;
    bool done = peaks && room && evidence_open(&evidence, explainer, 1, view->images, room, error);
    for (int64_t image = 0; done && image < total; image++)
        peaks[image] = map_peak(view->maps[image], layer->height * layer->width);
    done = done && describe_row(explainer, evidence, 0, peaks, view->images, room, error);
    memory_free(peaks);
    memory_free(room);
    if (done)
        *out = evidence;
    else
        release(evidence);
    return done;
}

static Concept explain(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    (void)explainer;
    return (Concept){evidence->label[row], 0, evidence->score[row]};
}

// Alike as far as the words at the same places are.
static Change compare(const char *before, const char *after)
{
    int words = 0, same = 0;
    for (const char *a = before, *b = after; *a && *b;) {
        size_t length = strcspn(a, " "), other = strcspn(b, " ");
        words++;
        same += length == other && strncmp(a, b, length) == 0;
        a += length + (a[length] == ' ');
        b += other + (b[other] == ' ');
    }
    return (Change){.changed = same < words, .similarity = words ? (double)same / words : 1};
}

/* ---- a run on disk --------------------------------------------------------------------------- */

static bool write_files(const Explainer *explainer, const Evidence *evidence, const char *folder,
                        Error *error)
{
    char    path[LIMIT_PATH], level[32];
    Writer *writer = NULL;
    (void)explainer;
    if (!path_join(path, folder, "palette.csv", error) || !writer_open(&writer, path, error))
        return false;
    number_text(evidence->level, level);
    writer_text(writer, "unit,rank,image,level\n");
    for (int64_t i = 0; i < evidence->units * evidence->top; i++)
        writer_text(writer, "%lld,%lld,%lld,%s\n", (long long)(i / evidence->top),
                    (long long)(i % evidence->top), (long long)evidence->exemplars[i], level);
    return writer_publish(writer, error);
}

static bool read_rows(Palette *palette, const Csv *csv, int64_t rows, int64_t images, Error *error)
{
    palette->exemplars = memory_new((size_t)rows, sizeof(int64_t), error);
    bool done          = palette->exemplars != NULL;
    if (done && csv_row_count(csv) != rows)
        return fail(error, ERROR_DATA, "palette.csv: has %lld rows, expected %lld",
                    (long long)csv_row_count(csv), (long long)rows);
    for (int64_t row = 0; done && row < rows; row++)
        done = csv_whole(csv, row, 2, 0, images - 1, &palette->exemplars[row], error) &&
               csv_number(csv, row, 3, &palette->level, error);
    return done;
}

static bool baseline(Explainer *explainer, const char *folder, Error *error)
{
    Palette *palette = explainer->state;
    char     path[LIMIT_PATH];
    Bytes    bytes = {0};
    Csv     *csv   = NULL;
    bool     done  = path_join(path, folder, "palette.csv", error) &&
                file_read(path, LIMIT_TEXT_FILE, &bytes, error) &&
                csv_open(&csv, bytes.data, bytes.size, path, error) &&
                read_rows(palette, csv, explainer->inputs.layer.units * palette->top,
                          explainer->inputs.probe->image_count, error);
    csv_close(csv);
    bytes_close(&bytes);
    palette->has_clean = done;
    return done;
}

/* ---- attacks: the unit is lowered all over its images ---------------------------------------- */

typedef struct Exemplars {
    int64_t images[MOST_TOP], cells;
} Exemplars;

static bool masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const Exemplars *exemplars = self;
    (void)image;
    (void)error;
    memset(source, 1, (size_t)exemplars->cells);
    memset(target, 0, (size_t)exemplars->cells);
    return true;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool aim(const Explainer *explainer, const UnitRecord *unit, AimTarget target, Aim *out,
                Error *error)
{
    const Palette *palette   = explainer->state;
    Exemplars     *exemplars = memory_new(1, sizeof *exemplars, error);
    (void)target;
    if (!exemplars)
        return false;
    memcpy(exemplars->images, palette->exemplars + unit->unit * palette->top,
           (size_t)palette->top * sizeof(int64_t));
    qsort(exemplars->images, (size_t)palette->top, sizeof(int64_t), by_number);
    exemplars->cells = explainer->inputs.layer.height * explainer->inputs.layer.width;
    *out             = (Aim){.images      = exemplars->images,
                             .image_count = palette->top,
                             .mask_count  = exemplars->cells,
                             .masks       = masks,
                             .self        = exemplars,
                             .close       = memory_free};
    return true;
}

/* ---- the row --------------------------------------------------------------------------------- */

static const Mode         mode      = {.name = "plain", .store = "float"};
static const char *const  files[]   = {"palette.csv", NULL};
static const MethodOption options[] = {
    {"words", METHOD_FILE, "FILE.txt", NULL, "palette: a word a line, from dark to bright"},
    {"pool", METHOD_CHOICE, "mean|max", "mean", "palette: which pixels of an image count"},
    {"top", METHOD_COUNT, "N", "3", "palette: images of a unit"},
};

const Method method_palette = {.name         = "palette",
                               .title        = "The palette of the brightest images",
                               .score_name   = "mean peak",
                               .sees_pixels  = true,
                               .modes        = &mode,
                               .mode_count   = 1,
                               .options      = options,
                               .option_count = 3,
                               .open         = open_palette,
                               .close        = close_palette,
                               .collect      = collect,
                               .collect_unit = collect_unit,
                               .baseline     = baseline,
                               .release      = release,
                               .explain      = explain,
                               .compare      = compare,
                               .files        = files,
                               .write        = write_files,
                               .read         = units_read,
                               .aim          = aim};
