/* cli/caption_data.c - see caption_data.h. */
#include "caption_data.h"

#include "../base/parallel.h"
#include "../format/csv.h"
#include "../mini/captions.h"
#include "../training/vocabulary.h"
#include "training_data.h"

#include <string.h>

/* ---- the mini world -------------------------------------------------------------------------- */

typedef struct Judging {
    CaptionSet *captions;
    uint64_t    seed;
    bool       *is_true; // [threads, claims]
} Judging;

static void judge_one(void *data, int64_t i, int thread)
{
    const Judging *judging = data;
    MiniImage      image;
    int            claims  = mini_claim_count();
    bool          *is_true = judging->is_true + thread * claims;
    mini_draw(judging->seed, i, &image);
    mini_claims(&image, is_true);
    for (int claim = 0; claim < claims; claim++)
        if (is_true[claim])
            captions_say(judging->captions, i, claim);
}

static bool mini_words(char **out, Error *error)
{
    WordCounts counts = {0};
    bool       ok     = true;
    for (int text = 0; ok && text < mini_claim_count() * MINI_FORMS; text++) {
        char written[MINI_CAPTION_BYTES];
        mini_claim_text(text / MINI_FORMS, text % MINI_FORMS, written);
        ok = word_counts_add(&counts, written, error);
    }
    ok = ok && word_counts_lines(&counts, CAPTION_WORDS, out, error);
    word_counts_free(&counts);
    return ok;
}

static bool add_texts(CaptionSet *captions, Error *error)
{
    for (int64_t claim = 0; claim < captions->claims; claim++) {
        captions->first[claim]   = (int32_t)claim * MINI_FORMS;
        captions->is_kept[claim] = mini_claim_is_held_out((int)claim);
        for (int form = 0; form < MINI_FORMS; form++) {
            char written[MINI_CAPTION_BYTES];
            mini_claim_text((int)claim, form, written);
            if (!captions_add(captions, captions->first[claim] + form, written, error))
                return false;
        }
    }
    captions->first[captions->claims] = (int32_t)captions->texts;
    return true;
}

static bool say_of_mini(TrainingSet *set, const char *data, Error *error)
{
    int64_t  claims = mini_claim_count(), images = 0;
    uint64_t seed  = 0;
    char    *words = NULL;
    bool    *truth = memory_new((size_t)(parallel_threads() * claims), sizeof *truth, error);
    bool     ok    = truth && training_data_mini(data, &images, &seed, error) &&
              mini_words(&words, error) &&
              captions_new(&set->captions, images, claims, claims * MINI_FORMS, CAPTION_ROW, words,
                           error) &&
              add_texts(set->captions, error);
    if (ok)
        parallel_for(images, judge_one, &(Judging){set->captions, seed, truth});
    memory_free(truth);
    memory_free(words);
    return ok && captions_finish(set->captions, error);
}

/* ---- a file ---------------------------------------------------------------------------------- */

typedef struct CaptionFile {
    Csv     *csv;
    int      image, caption;  // columns
    int64_t *images, *claims; // [rows]: first row of the same image, of the same caption; then
                              // numbers in order of appearance
    int64_t image_count, claim_count;
} CaptionFile;

// Numbers the texts of a column: equal ones alike.
static int64_t number_texts(const Csv *csv, int column, int64_t *numbers)
{
    int64_t count = 0;
    for (int64_t row = 0; row < csv_row_count(csv); row++) {
        int64_t before = 0;
        while (strcmp(csv_text(csv, before, column), csv_text(csv, row, column)) != 0)
            before++;
        numbers[row] = before == row ? count++ : numbers[before];
    }
    return count;
}

static bool file_open(CaptionFile *file, const char *path, Error *error)
{
    bool ok = csv_read(&file->csv, path, error) &&
              csv_need(file->csv, "image", &file->image, error) &&
              csv_need(file->csv, "caption", &file->caption, error);
    if (!ok)
        return false;
    int64_t rows = csv_row_count(file->csv);
    if (rows < 1 || rows > CAPTION_ROWS)
        return fail(error, ERROR_DATA, "%s: has %lld captions, expected 1 to %d", path,
                    (long long)rows, CAPTION_ROWS);
    file->images = memory_new((size_t)rows, sizeof *file->images, error);
    file->claims = memory_new((size_t)rows, sizeof *file->claims, error);
    if (!file->images || !file->claims)
        return false;
    file->image_count = number_texts(file->csv, file->image, file->images);
    file->claim_count = number_texts(file->csv, file->caption, file->claims);
    return true;
}

static void file_close(CaptionFile *file)
{
    csv_close(file->csv);
    memory_free(file->images);
    memory_free(file->claims);
}

static bool file_words(const CaptionFile *file, const char *path, char **out, Error *error)
{
    WordCounts counts = {0};
    bool       ok     = true;
    for (int64_t row = 0; ok && row < csv_row_count(file->csv); row++)
        ok = word_counts_add(&counts, csv_text(file->csv, row, file->caption), error);
    if (ok && counts.count == 0)
        ok = fail(error, ERROR_DATA, "%s: its captions have no word", path);
    ok = ok && word_counts_lines(&counts, CAPTION_WORDS, out, error);
    word_counts_free(&counts);
    return ok;
}

// Every caption is a claim of one text.
static bool say_of_file(const CaptionFile *file, CaptionSet *captions, Error *error)
{
    for (int64_t row = 0; row < csv_row_count(file->csv); row++) {
        int64_t claim = file->claims[row];
        if (!captions->written[claim] &&
            !captions_add(captions, claim, csv_text(file->csv, row, file->caption), error))
            return false;
        captions_say(captions, file->images[row], claim);
    }
    for (int64_t claim = 0; claim <= captions->claims; claim++)
        captions->first[claim] = (int32_t)claim;
    return captions_finish(captions, error);
}

static bool open_file(TrainingSet *set, const char *folder, const char *path,
                      const Preparation *fit, Error *error)
{
    CaptionFile file  = {0};
    char       *words = NULL;
    bool        ok    = file_open(&file, path, error) && file_words(&file, path, &words, error) &&
              training_set_new(set, file.image_count, fit->height, fit->width, 1, error) &&
              captions_new(&set->captions, file.image_count, file.claim_count, file.claim_count,
                           CAPTION_ROW, words, error) &&
              say_of_file(&file, set->captions, error);
    for (int64_t row = 0, next = 0; ok && row < csv_row_count(file.csv); row++) {
        const char *name = csv_text(file.csv, row, file.image);
        char        picture[LIMIT_PATH];
        if (file.images[row] < next)
            continue;
        ok = (path_is_plain(name) ||
              fail(error, ERROR_DATA, "%s:%lld: '%s' is no path below the folder of the images",
                   path, (long long)csv_line(file.csv, row), name)) &&
             path_join(picture, folder, name, error) &&
             training_data_picture(set, next++, picture, fit, error);
    }
    file_close(&file);
    memory_free(words);
    return ok;
}

bool caption_data_open(TrainingSet *out, const char *data, const char *captions,
                       const Preparation *fit, Error *error)
{
    TrainingSet set     = {0};
    bool        is_mini = strcmp(captions, "mini") == 0, is_drawn = strncmp(data, "mini:", 5) == 0;
    bool        ok;
    if (is_mini != is_drawn)
        ok = fail(error, ERROR_USAGE,
                  "--captions %s with -d %s: expected mini with mini:COUNT:SEED, or a file with a "
                  "folder of images",
                  captions, data);
    else if (is_mini)
        ok = training_data_open(&set, data, fit, error) && say_of_mini(&set, data, error);
    else
        ok = open_file(&set, data, captions, fit, error);
    if (ok)
        *out = set;
    else
        training_set_free(&set);
    return ok;
}
