/* tests/test_milan_decoder.c - MILAN's captioner beside numbers of the published code: steps, greedy
 * words, beams, the language model, the choice among sentences. */
#include "program.h"
#include "published.h"
#include "test.h"

#include "../nem/milan/decode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    UNITS    = 12,
    IMAGES   = 15,
    FEATURES = 128,
    HIDDEN   = 48,
    WORDS    = 304,
    BEAM     = 50,
    LENGTH   = 15,
    START    = 300
};

static const char archive[] = "reference/milan_decoder_thin.npz";

static double *numbers(const char *name, int64_t count)
{
    return published_numbers(archive, name, count);
}

static void to_real(const double *from, int64_t count, real *to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)from[i];
}

// Everything that a test of the thin captioner starts from.
typedef struct Thin {
    WeightBlob *blob;
    real       *features; // [UNITS, IMAGES, FEATURES]
    Decoder    *decoder;
} Thin;

static bool thin_open(Thin *thin, DecodeStrategy strategy)
{
    DecodeRules rules = {0};
    *thin             = (Thin){.blob = published_network("reference/milan_thin.pth", "")};
    int64_t count     = (int64_t)UNITS * IMAGES * FEATURES;
    double *features  = thin->blob ? numbers("features", count) : NULL;
    if (!features)
        return false;
    thin->features = memory_new((size_t)count, sizeof(real), NULL);
    to_real(features, count, thin->features);
    memory_free(features);
    if (!CHECK(decode_rules(&rules, thin->blob, 0, NULL)))
        return false;
    CHECK(rules.strategy == DECODE_RERANK && rules.beam == BEAM && rules.length == LENGTH &&
          fabs(rules.temperature - 0.2) < 1e-12 && !rules.extra_stop);
    rules.strategy = strategy;
    return CHECK(decoder_open(&thin->decoder, thin->blob, &rules, IMAGES, NULL));
}

static void thin_close(Thin *thin)
{
    decoder_close(thin->decoder);
    memory_free(thin->features);
    blob_close(thin->blob);
}

static const real *unit_features(const Thin *thin, int unit)
{
    return thin->features + (size_t)unit * IMAGES * FEATURES;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void near(const real *found, const double *want, int64_t count, double bound)
{
    for (int64_t i = 0; want && i < count; i++)
        if (!CHECK_CLOSE((double)found[i], want[i], bound))
            return;
    CHECK(want != NULL);
}

// The tokens start, 3, 10 in all three rows of a captioner; the rows agree.
static void check_step(Captioner *captioner, int at, int unit, real *h, real *c)
{
    static const int32_t tokens[] = {START, 3, 10};
    static const struct {
        const char *name;
        int64_t     size;
        double      bound;
    } parts[]            = {{"logp", WORDS, 4e-5},
                            {"attention", IMAGES, 1e-5},
                            {"h", HIDDEN, 1e-5},
                            {"c", HIDDEN, 1e-5}};
    int32_t     same[3]  = {tokens[at], tokens[at], tokens[at]};
    const real *found[4] = {captioner_step(captioner, same, h, c)};
    found[1]             = captioner_attention(captioner);
    found[2]             = h;
    found[3]             = c;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "step%d_%s", at, parts[i].name);
        double *want = numbers(name, UNITS * parts[i].size);
        near(found[i], want ? want + unit * parts[i].size : NULL, parts[i].size, parts[i].bound);
        CHECK(memcmp(found[i], found[i] + 2 * parts[i].size,
                     (size_t)parts[i].size * sizeof(real)) == 0);
        memory_free(want);
    }
}

static void steps_are_those_of_the_published_code(void)
{
    Thin      thin      = {0};
    Captioner captioner = {0};
    if (!thin_open(&thin, DECODE_RERANK)) {
        thin_close(&thin);
        SKIP("no captioner of the published code, or no python3");
    }
    if (CHECK(captioner_open(&captioner, thin.blob, 3, IMAGES, NULL))) {
        double *first_h = numbers("init_h", UNITS * HIDDEN);
        double *first_c = numbers("init_c", UNITS * HIDDEN);
        for (int unit = 0; unit < UNITS; unit += 5) {
            real h[3 * HIDDEN], c[3 * HIDDEN];
            captioner_look(&captioner, unit_features(&thin, unit), h, c);
            near(h, first_h + unit * HIDDEN, HIDDEN, 1e-5);
            near(c, first_c + unit * HIDDEN, HIDDEN, 1e-5);
            for (int row = 1; row < 3; row++) {
                memcpy(h + row * HIDDEN, h, HIDDEN * sizeof *h);
                memcpy(c + row * HIDDEN, c, HIDDEN * sizeof *c);
            }
            for (int at = 0; at < 3; at++)
                check_step(&captioner, at, unit, h, c);
        }
        memory_free(first_h);
        memory_free(first_c);
    }
    captioner_close(&captioner);
    thin_close(&thin);
}

/* ---- sentences ------------------------------------------------------------------------------- */

static int same_tokens(const int32_t *found, const double *want)
{
    for (int i = 0; i < LENGTH; i++)
        if (found[i] != (int32_t)want[i])
            return 0;
    return 1;
}

static void greedy_with(const Thin *thin, const char *name, double temperature)
{
    char tokens_name[32], scores_name[32];
    snprintf(tokens_name, sizeof tokens_name, "%s_tokens", name);
    snprintf(scores_name, sizeof scores_name, "%s_scores", name);
    double *tokens = numbers(tokens_name, UNITS * LENGTH), *scores = numbers(scores_name, UNITS);
    for (int unit = 0; tokens && scores && unit < UNITS; unit++) {
        const Sentences *found =
            decoder_greedy(thin->decoder, unit_features(thin, unit), temperature);
        CHECK(found->count == 1 && same_tokens(found->tokens, tokens + unit * LENGTH));
        CHECK_CLOSE(found->score[0], scores[unit], 1e-4);
    }
    memory_free(tokens);
    memory_free(scores);
}

static void greedy_words_are_those_of_the_published_code(void)
{
    Thin thin = {0};
    if (!thin_open(&thin, DECODE_GREEDY)) {
        thin_close(&thin);
        SKIP("no captioner of the published code, or no python3");
    }
    greedy_with(&thin, "greedy", 0);
    greedy_with(&thin, "greedy_mi", 0.2);
    thin_close(&thin);
}

// The published sentence with these tokens; -1.
static int find_sentence(const double *tokens, const int32_t *wanted)
{
    for (int row = 0; row < BEAM; row++)
        if (same_tokens(wanted, tokens + row * LENGTH))
            return row;
    return -1;
}

typedef struct Beams {
    double *tokens, *scores, *language, *clean, *index, *clean_index, *rerank;
} Beams;

static bool beams_read(Beams *out)
{
    out->tokens      = numbers("beam_tokens", (int64_t)UNITS * BEAM * LENGTH);
    out->scores      = numbers("beam_scores", UNITS * BEAM);
    out->language    = numbers("lm_scores", UNITS * BEAM);
    out->clean       = numbers("lm_scores_clean", UNITS * BEAM);
    out->index       = numbers("rerank_index", UNITS);
    out->clean_index = numbers("rerank_index_clean", UNITS);
    out->rerank      = numbers("rerank_scores", UNITS);
    return out->tokens && out->scores && out->language && out->clean && out->index &&
           out->clean_index && out->rerank;
}

static void beams_free(Beams *beams)
{
    memory_free(beams->tokens);
    memory_free(beams->scores);
    memory_free(beams->language);
    memory_free(beams->clean);
    memory_free(beams->index);
    memory_free(beams->clean_index);
    memory_free(beams->rerank);
}

// Which published sentence mutual information chooses.
static int chosen(const Sentences *found, const double *language, const int *published)
{
    int    best  = 0;
    double score = 0;
    for (int row = 0; row < BEAM; row++) {
        double now = found->score[row] - 0.2 * language[row];
        if (row == 0 || now > score) {
            best  = row;
            score = now;
        }
    }
    return published[best];
}

static void check_beam(const Thin *thin, const Beams *beams, int unit)
{
    const Sentences *found = decoder_beam(thin->decoder, unit_features(thin, unit), 0);
    double           language[BEAM], clean[BEAM];
    int              published[BEAM];
    decoder_language(thin->decoder, found, true, language);
    decoder_language(thin->decoder, found, false, clean);
    CHECK(found->count == BEAM);
    for (int row = 0; row < BEAM; row++) {
        published[row] = find_sentence(beams->tokens + (size_t)unit * BEAM * LENGTH,
                                       found->tokens + row * LENGTH);
        if (!CHECK(published[row] >= 0))
            return;
        int at = unit * BEAM + published[row];
        CHECK_CLOSE(found->score[row], beams->scores[at], 1e-4);
        CHECK_CLOSE(language[row], beams->language[at], 1e-4);
        CHECK_CLOSE(clean[row], beams->clean[at], 1e-4);
        CHECK(row == 0 || found->score[row - 1] >= found->score[row]);
    }
    CHECK(chosen(found, language, published) == (int)beams->index[unit]);
    CHECK(chosen(found, clean, published) == (int)beams->clean_index[unit]);
}

static void beams_and_choices_are_those_of_the_published_code(void)
{
    Thin  thin  = {0};
    Beams beams = {0};
    if (!thin_open(&thin, DECODE_RERANK) || !beams_read(&beams)) {
        thin_close(&thin);
        SKIP("no captioner of the published code, or no python3");
    }
    for (int unit = 0; unit < UNITS; unit++)
        check_beam(&thin, &beams, unit);
    beams_free(&beams);
    thin_close(&thin);
}

SUITE(milan_decoder)
{
    RUN(steps_are_those_of_the_published_code);
    RUN(greedy_words_are_those_of_the_published_code);
    RUN(beams_and_choices_are_those_of_the_published_code);
}
