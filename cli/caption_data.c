/* cli/caption_data.c - see caption_data.h. */
#include "caption_data.h"

#include "../base/parallel.h"
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

bool caption_data_open(TrainingSet *out, const char *data, const char *captions, int64_t side,
                       Error *error)
{
    TrainingSet set = {0};
    bool        ok;
    if (strcmp(captions, "mini") == 0)
        ok = (strncmp(data, "mini:", 5) == 0 ||
              fail(error, ERROR_USAGE,
                   "--captions mini are of drawn images, expected -d "
                   "mini:COUNT:SEED, found %s",
                   data)) &&
             training_data_open(&set, data, side, error) && say_of_mini(&set, data, error);
    else
        ok = fail(error, ERROR_USAGE, "--captions %s: expected mini", captions);
    if (ok)
        *out = set;
    else
        training_set_free(&set);
    return ok;
}
