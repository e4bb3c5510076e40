/* training/captions.c - see captions.h. */
#include "captions.h"

#include "../base/digest.h"
#include "../models/tokens.h"

#include <string.h>

static size_t truth_words(const CaptionSet *set)
{
    return ((size_t)set->claims + 63) / 64;
}

bool captions_new(CaptionSet **out, int64_t images, int64_t claims, int64_t texts, int64_t row,
                  const char *words, Error *error)
{
    size_t      tokens = 0, truth = 0;
    CaptionSet *set = memory_new(1, sizeof *set, error);
    if (!set)
        return false;
    *set    = (CaptionSet){.images = images, .claims = claims, .texts = texts, .row = row};
    bool ok = (size_mul((size_t)texts, (size_t)row, &tokens) &&
               size_mul((size_t)images, truth_words(set), &truth)) ||
              fail(error, ERROR_MEMORY, "%lld captions of %lld images do not fit in memory",
                   (long long)texts, (long long)images);
    ok = ok && (set->first = memory_new((size_t)claims + 1, sizeof *set->first, error)) &&
         (set->tokens = memory_new(tokens, sizeof *set->tokens, error)) &&
         (set->written = memory_new((size_t)texts, sizeof *set->written, error)) &&
         (set->truth = memory_new(truth, sizeof *set->truth, error)) &&
         (set->is_kept = memory_new((size_t)claims, sizeof *set->is_kept, error)) &&
         (set->weight = memory_new((size_t)claims, sizeof *set->weight, error)) &&
         (set->words = memory_text(words, error));
    if (ok)
        set->word_bytes = strlen(words);
    if (!ok || !word_list_open(&set->list, words, set->word_bytes, "captions", error)) {
        captions_free(set);
        return false;
    }
    *out = set;
    return true;
}

void captions_free(CaptionSet *set)
{
    if (!set)
        return;
    for (int64_t i = 0; set->written && i < set->texts; i++)
        memory_free(set->written[i]);
    memory_free(set->written);
    memory_free(set->first);
    memory_free(set->tokens);
    memory_free(set->truth);
    memory_free(set->is_kept);
    memory_free(set->weight);
    memory_free(set->words);
    word_list_close(set->list);
    memory_free(set);
}

bool captions_add(CaptionSet *set, int64_t text, const char *written, Error *error)
{
    words_tokens(set->list, written, set->row, set->tokens + text * set->row);
    return (set->written[text] = memory_text(written, error)) != NULL;
}

void captions_say(CaptionSet *set, int64_t image, int64_t claim)
{
    set->truth[(size_t)image * truth_words(set) + (size_t)claim / 64] |= (uint64_t)1 << claim % 64;
}

bool captions_true(const CaptionSet *set, int64_t image, int64_t claim)
{
    uint64_t word = set->truth[(size_t)image * truth_words(set) + (size_t)claim / 64];
    return word >> claim % 64 & 1;
}

static bool is_said(const CaptionSet *set, int64_t image, int64_t claim)
{
    return captions_true(set, image, claim) && !set->is_kept[claim] &&
           set->first[claim + 1] > set->first[claim];
}

bool captions_finish(CaptionSet *set, Error *error)
{
    for (int64_t claim = 0; claim < set->claims; claim++) {
        int64_t images = 0;
        for (int64_t image = 0; image < set->images; image++)
            images += captions_true(set, image, claim);
        set->weight[claim] = images ? 1 / (double)images : 0;
    }
    for (int64_t image = 0; image < set->images; image++) {
        int64_t claim = 0;
        while (claim < set->claims && !is_said(set, image, claim))
            claim++;
        if (claim == set->claims)
            return fail(error, ERROR_DATA, "training image %lld has no caption", (long long)image);
    }
    return true;
}

int64_t captions_draw(const CaptionSet *set, uint64_t seed, int64_t epoch, int64_t image,
                      int64_t *claim)
{
    uint64_t    key   = random_key(seed, "training captions");
    RandomBlock block = random_block(key, (uint64_t)epoch, (uint64_t)image);
    double      all   = 0;
    for (int64_t c = 0; c < set->claims; c++)
        all += is_said(set, image, c) ? set->weight[c] : 0;
    double left = (double)random_unit(block.word[0]) * all;
    for (int64_t c = 0; c < set->claims; c++) {
        if (!is_said(set, image, c))
            continue;
        *claim = c; // the last one where rounding leaves a rest
        left -= set->weight[c];
        if (left < 0)
            break;
    }
    uint32_t forms = (uint32_t)(set->first[*claim + 1] - set->first[*claim]);
    return set->first[*claim] + (int64_t)(block.word[1] % forms);
}

uint64_t captions_digest(const CaptionSet *set)
{
    size_t   texts = (size_t)(set->texts * set->row) * sizeof *set->tokens;
    uint32_t crc   = digest_crc32(0, set->words, set->word_bytes);
    crc            = digest_crc32(crc, set->tokens, texts);
    uint32_t other = digest_crc32(crc, set->first, ((size_t)set->claims + 1) * sizeof *set->first);
    other          = digest_crc32(other, set->truth,
                                  (size_t)set->images * truth_words(set) * sizeof *set->truth);
    return (uint64_t)other << 32 | crc;
}
