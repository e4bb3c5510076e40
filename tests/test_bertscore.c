/* tests/test_bertscore.c - BERTScore beside the numbers of its published code, and its edges. */
#include "../nem/bertscore.h"
#include "../base/file.h"
#include "../models/text.h"
#include "../models/tokens.h"
#include "../nem/bert_models.h"
#include "drawn_roberta.h"
#include "program.h"
#include "published.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a drawn encoder ------------------------------------------------------------------------- */

static BertScore *drawn(const BertOptions *options)
{
    DrawnRoberta shape = drawn_roberta_small();
    BertScore   *bert  = NULL;
    Error        error = {0};
    if (!CHECK(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL)) ||
        !CHECK(bertscore_open(&bert, in_folder("bert.nw"), options, &error)))
        printf("  %s\n", error.message);
    return bert;
}

static BertValues score(BertScore *bert, const char *candidate, const char *reference)
{
    BertValues values = {(double)NAN, (double)NAN, (double)NAN};
    CHECK(bertscore_values(bert, candidate, &reference, 1, &values, NULL));
    return values;
}

static bool same_values(BertValues a, BertValues b)
{
    return a.precision == b.precision && a.recall == b.recall && a.f1 == b.f1;
}

static const char *const texts[] = {"red dots",     "a dog",           "animals", "red and white",
                                    "round things", "horizon and sea", "cats",    "dots"};
enum { TEXTS = sizeof texts / sizeof *texts };

static void equal_texts_score_one(void)
{
    BertScore *bert = drawn(NULL);
    if (!bert)
        return;
    CHECK_CLOSE(score(bert, "red dots", "red dots").f1, 1, 1e-6);
    BertValues other = score(bert, "red dots", "a dog"), back = score(bert, "a dog", "red dots");
    CHECK(other.f1 < 0.99 && other.precision == back.recall && other.recall == back.precision);
    CHECK_CLOSE(other.f1, 2 * other.precision * other.recall / (other.precision + other.recall),
                1e-15);
    bertscore_close(bert);
}

static void case_and_dots_at_the_ends_do_not_count(void)
{
    BertScore *bert  = drawn(NULL);
    BertScore *exact = drawn(&(BertOptions){.verbatim = true});
    if (!bert || !exact)
        return;
    BertValues plain = score(bert, "red dots", "animals");
    CHECK(same_values(score(bert, " . Red DOTS. ", "..Animals"), plain));
    CHECK(same_values(score(exact, "red dots", "animals"), plain));
    CHECK(!same_values(score(exact, "Red dots.", "animals"), plain));
    bertscore_close(exact);
    bertscore_close(bert);
}

// Whatever else is read, and in whichever order.
static void a_score_depends_on_its_texts_alone(void)
{
    BertScore *single = drawn(NULL), *all = drawn(NULL);
    if (!single || !all)
        return;
    CHECK(bertscore_read(all, texts, TEXTS, NULL));
    for (int i = 0; i < TEXTS; i++)
        for (int k = TEXTS - 1; k >= 0; k--)
            CHECK(same_values(score(single, texts[i], texts[k]), score(all, texts[i], texts[k])));
    bertscore_close(all);
    bertscore_close(single);
}

static void an_empty_text_scores_zero(void)
{
    BertScore *bert = drawn(NULL);
    if (!bert)
        return;
    BertValues none = {0, 0, 0};
    CHECK(same_values(score(bert, "", "animals"), none));
    CHECK(same_values(score(bert, "animals", " . "), none));
    CHECK(same_values(score(bert, "", ""), none));
    bertscore_close(bert);
}

static void weights_are_those_of_the_references(void)
{
    static const char *const one[] = {"red dots"}, *const two[] = {"red dots", "red things"};
    BertScore *bert = drawn(NULL);
    if (!bert)
        return;
    BertValues plain = score(bert, "red cats", "red dots");
    CHECK(bertscore_weigh(bert, one, 1, NULL));
    BertValues alone = score(bert, "red dots", "red dots"); // every weight is log(2 / 2)
    CHECK(isnan(alone.precision) && isnan(alone.recall) && alone.f1 == 0);
    CHECK(bertscore_weigh(bert, two, 2, NULL));
    BertValues weighed = score(bert, "red cats", "red dots");
    CHECK(!same_values(weighed, plain) && !isnan(weighed.f1));
    CHECK_CLOSE(score(bert, "red dots", "red dots").f1, 1, 1e-6);
    bertscore_close(bert);
}

static void of_several_references_the_best_counts(void)
{
    static const char *const references[] = {"animals", "a dog", "round things"};
    BertScore               *bert         = drawn(NULL);
    BertValues               best         = {-2, -2, -2}, found;
    if (!bert)
        return;
    for (int i = 0; i < 3; i++) {
        BertValues values = score(bert, "animals and a dog", references[i]);
        best              = (BertValues){fmax(best.precision, values.precision),
                                         fmax(best.recall, values.recall), fmax(best.f1, values.f1)};
    }
    REQUIRE(bertscore_values(bert, "animals and a dog", references, 3, &found, NULL));
    CHECK(same_values(found, best));
    bertscore_close(bert);
}

// Two texts that differ behind the last place there is room for.
static void long_texts_are_cut(void)
{
    BertScore *bert = drawn(NULL);
    if (!bert)
        return;
    BertValues same = score(bert, "xyz xyz xyz xyz xyz", "xyz xyz xyz xyz xyw");
    CHECK_CLOSE(same.f1, 1, 1e-6);
    CHECK(score(bert, "xyz xyz xyz", "xyz xyz xyw").f1 < 0.9999);
    bertscore_close(bert);
}

/* ---- which model ----------------------------------------------------------------------------- */

static bool save_rows(const char *text)
{
    return CHECK(file_publish(in_folder("rows.tsv"), text, strlen(text), NULL));
}

// The numbers of (W12).
static void values_are_rescaled_by_the_baseline(void)
{
    BertScore *bert = NULL, *plain = drawn(NULL);
    save_rows("LAYER,P,R,F\n0,0.1,0.1,0.1\n2,0.83150584,0.8314941,0.83122575\n");
    bert = drawn(&(BertOptions){.layer = 2, .baseline = in_folder("rows.tsv")});
    if (!bert || !plain)
        return;
    BertValues raw = {0.9, 0.9, 0.9}, zero = {0, 0, 0};
    CHECK(bertscore_has_baseline(bert) && !bertscore_has_baseline(plain));
    CHECK_CLOSE(bertscore_rescaled(bert, raw).f1, 0.40749, 5e-6);
    CHECK_CLOSE(bertscore_rescaled(bert, raw).precision, (0.9 - 0.83150584) / (1 - 0.83150584),
                1e-12);
    CHECK_CLOSE(bertscore_rescaled(bert, zero).f1, -4.9251, 1e-4);
    CHECK(same_values(bertscore_rescaled(plain, raw), raw));
    bertscore_close(plain);
    bertscore_close(bert);
}

// Only names of tensors and the width decide, so they are all there is.
static BertModel model_of(int64_t width, int last, bool *ok, Error *error)
{
    BlobBuilder *builder = blob_builder_new("roberta", 32, 32);
    WeightBlob  *blob    = NULL;
    BertModel    model   = {0};
    char         name[64];
    snprintf(name, sizeof name, "encoder.layer.%d.output.dense.bias", last);
    blob_builder_constant(builder, "embeddings.word_embeddings.weight", shape_2d(1, width), 1);
    blob_builder_constant(builder, name, shape_1d(1), 1);
    *ok = CHECK(blob_builder_save(builder, in_folder("shape.nw"), NULL) &&
                blob_open(in_folder("shape.nw"), &blob, NULL)) &&
          bert_model_of(blob, &(BertOptions){0}, &model, error);
    blob_builder_free(builder);
    blob_close(blob);
    return model;
}

static void the_shape_says_which_model_it_is(void)
{
    static const struct {
        int64_t     width;
        int         depth, layer;
        const char *name;
    } cases[] = {{1024, 24, 17, "roberta-large"},
                 {1024, 17, 17, "roberta-large"},
                 {768, 12, 10, "roberta-base"},
                 {768, 6, 5, "distilroberta-base"},
                 {768, 8, 6, ""},
                 {1024, 16, 11, ""},
                 {16, 4, 3, ""},
                 {16, 1, 1, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool      ok    = false;
        BertModel model = model_of(cases[i].width, cases[i].depth - 1, &ok, NULL);
        CHECK(ok && model.layer == cases[i].layer);
        CHECK(model.has_baseline == (cases[i].name[0] != 0));
        if (ok)
            CHECK_TEXT(model.name, cases[i].name);
    }
    bool      ok    = false;
    BertModel large = model_of(1024, 23, &ok, NULL);
    CHECK(large.baseline.precision == 0.83150584 && large.baseline.f1 == 0.83122575);
}

static void what_is_no_such_encoder_is_refused(void)
{
    DrawnRoberta shape   = drawn_roberta_small();
    BertScore   *bert    = NULL;
    BlobBuilder *builder = blob_builder_new("vgg16", 32, 32);
    Error        error   = {0};
    blob_builder_constant(builder, "a", shape_1d(1), 1);
    REQUIRE(blob_builder_save(builder, in_folder("vgg.nw"), NULL));
    blob_builder_free(builder);
    CHECK(!bertscore_open(&bert, in_folder("vgg.nw"), NULL, &error));
    CHECK_REFUSED("encoder", &error, "architecture is 'vgg16', BERTScore takes an encoder");
    REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL));
    static const struct {
        int         layer;
        const char *rows, *message;
    } cases[] = {{4, NULL, "has 3 blocks, BERTScore is to read behind block 4"},
                 {1, "LAYER,P,R,F\n2,0.5,0.5,0.5\n", "has no baseline of layer 1"},
                 {1, "LAYER,P,R\n1,0.5,0.5\n", "'F'"},
                 {1, "LAYER,P,R,F\n1,0.5,1,0.5\n", "line 2: the baseline R is 1, expected below 1"},
                 {1, "LAYER,P,R,F\n1,0.5,x,0.5\n", "'x'"},
                 {1, "LAYER,P,R,F\none,0.5,0,0.5\n", "'one'"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BertOptions options = {.layer = cases[i].layer};
        error               = (Error){0};
        if (cases[i].rows && save_rows(cases[i].rows))
            options.baseline = in_folder("rows.tsv");
        CHECK(!bertscore_open(&bert, in_folder("bert.nw"), &options, &error));
        CHECK_REFUSED("encoder", &error, cases[i].message);
    }
    CHECK(bert == NULL);
}

/* ---- the encoder, block by block ------------------------------------------------------------- */

static bool encode(WeightBlob *blob, Tokens *ids)
{
    Tokenizer *tokenizer = NULL;
    bool       ok        = blob_tokenizer(blob, TOKENIZER_ROBERTA, &tokenizer, NULL);
    for (int i = 0; ok && i < TEXTS; i++)
        ok = tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), 18, LONG_TEXT_CUT, &ids[i],
                              NULL);
    tokenizer_free(tokenizer);
    return ok;
}

static void states_have_the_bits_of_whole_runs(void)
{
    DrawnRoberta shape = drawn_roberta_small();
    for (int half = 0; half < 2; half++) {
        WeightBlob *blob       = NULL;
        Tokens      ids[TEXTS] = {{0}};
        real       *states     = NULL, whole[18 * 16];
        int64_t     width = 0, row = 0;
        int         wrong = 0;
        shape.type        = half ? BLOB_F16 : BLOB_F32;
        REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL) &&
                blob_open(in_folder("bert.nw"), &blob, NULL) && encode(blob, ids));
        REQUIRE(text_states(blob, ids, TEXTS, 2, &states, &width, NULL) && width == 16);
        for (int i = 0; i < TEXTS; row += ids[i++].count) {
            TextRunner runner = {0};
            REQUIRE(text_runner_open(&runner, blob, "encoder_layer_1", 1, ids[i].count, NULL));
            REQUIRE(text_runner_run(&runner, ids[i].ids, 1, whole, NULL));
            for (int64_t t = 0; t < ids[i].count; t++)
                for (int64_t c = 0; c < width; c++)
                    wrong += states[(row + t) * width + c] != whole[c * ids[i].count + t];
            text_runner_close(&runner);
        }
        CHECK(wrong == 0);
        memory_free(states);
        for (int i = 0; i < TEXTS; i++)
            tokens_free(&ids[i]);
        blob_close(blob);
    }
}

static void no_memory_for_scores_is_clean(void)
{
    DrawnRoberta shape = drawn_roberta_small();
    REQUIRE(drawn_roberta_save(&shape, in_folder("bert.nw"), NULL));
    int64_t before = memory_live_blocks();
    for (int64_t call = 1;; call++) {
        BertScore *bert  = NULL;
        BertValues value = {0};
        Error      error = {0};
        memory_fail_at(call, false);
        bool ok = bertscore_open(&bert, in_folder("bert.nw"), NULL, &error) &&
                  bertscore_read(bert, texts, TEXTS, &error) &&
                  bertscore_weigh(bert, texts, TEXTS, &error) &&
                  bertscore_values(bert, "new", texts, TEXTS, &value, &error);
        memory_fail_at(0, false);
        bertscore_close(bert);
        CHECK(memory_live_blocks() == before);
        if (ok)
            break;
        CHECK(error.code == ERROR_MEMORY && error.message[0]);
    }
}

/* ---- numbers of the published code ----------------------------------------------------------- */

enum { PAIRS = 42 };
static const char archive[] = "reference/bertscore_thin.npz";

static bool open_thin(BertScore **out, bool slow)
{
    static const char rows[]  = "LAYER,P,R,F\n3,0.83150584,0.8314941,0.83122575\n";
    Error             error   = {0};
    BertOptions       options = {
              .layer = 3, .slow = slow, .verbatim = true, .baseline = in_folder("rows.tsv")};
    char merges[LIMIT_PATH], flags[3 * LIMIT_PATH];
    save_rows(rows);
    if (!test_data("text/roberta/merges.txt") || !test_data(archive))
        return false;
    snprintf(merges, sizeof merges, "%s", test_data("text/roberta/merges.txt"));
    snprintf(flags, sizeof flags, "--heads 2 --merges '%s' --vocabulary '%s'", merges,
             test_data("text/roberta/vocab.json"));
    WeightBlob *blob     = published_network("reference/roberta_thin.bin", flags);
    bool        is_there = blob != NULL;
    blob_close(blob);
    if (is_there && !CHECK(bertscore_open(out, in_folder("published.nw"), &options, &error)))
        printf("  %s\n", error.message);
    return is_there && *out != NULL;
}

static void check_pair(const double want[3], BertValues found, const char *name, int pair)
{
    const double values[3] = {found.precision, found.recall, found.f1};
    for (int k = 0; k < 3; k++)
        if (!CHECK((isnan(want[k]) && isnan(values[k])) || fabs(values[k] - want[k]) <= 2e-6))
            printf("  %s, pair %d: %.8f, published %.8f\n", name, pair, values[k], want[k]);
}

static void check_setting(BertScore *bert, char **candidates, char **references, const char *name)
{
    char    scaled[64];
    double *raw = published_numbers(archive, name, PAIRS * 3);
    snprintf(scaled, sizeof scaled, "%s_rescaled", name);
    double *rescaled = published_numbers(archive, scaled, PAIRS * 3);
    for (int i = 0; raw && rescaled && i < PAIRS; i++) {
        BertValues values = score(bert, candidates[i], references[i]);
        check_pair(raw + 3 * i, values, name, i);
        check_pair(rescaled + 3 * i, bertscore_rescaled(bert, values), scaled, i);
    }
    memory_free(raw);
    memory_free(rescaled);
}

static void scores_equal_the_published_code(void)
{
    for (int slow = 0; slow < 2; slow++) {
        BertScore *bert = NULL;
        if (!open_thin(&bert, slow))
            SKIP("no published numbers, no python3, or the double build");
        char **candidates = published_texts(archive, "candidates", PAIRS);
        char **references = published_texts(archive, "references", PAIRS);
        REQUIRE(candidates && references);
        CHECK(bertscore_read(bert, (const char *const *)candidates, PAIRS, NULL));
        check_setting(bert, candidates, references, slow ? "slow_plain" : "fast_plain");
        CHECK(bertscore_weigh(bert, (const char *const *)references, PAIRS, NULL));
        check_setting(bert, candidates, references, slow ? "slow_idf" : "fast_idf");
        memory_free(candidates);
        memory_free(references);
        bertscore_close(bert);
    }
}

SUITE(bertscore)
{
    RUN(equal_texts_score_one);
    RUN(case_and_dots_at_the_ends_do_not_count);
    RUN(a_score_depends_on_its_texts_alone);
    RUN(an_empty_text_scores_zero);
    RUN(weights_are_those_of_the_references);
    RUN(of_several_references_the_best_counts);
    RUN(long_texts_are_cut);
    RUN(values_are_rescaled_by_the_baseline);
    RUN(the_shape_says_which_model_it_is);
    RUN(what_is_no_such_encoder_is_refused);
    RUN(states_have_the_bits_of_whole_runs);
    RUN(no_memory_for_scores_is_clean);
    RUN(scores_equal_the_published_code);
}
