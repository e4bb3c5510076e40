/* tests/test_towers.c - captions and made-up units of the mini world, and trainings on them. */
#include "program.h"
#include "test.h"

#include "../base/file.h"
#include "../cli/caption_data.h"
#include "../cli/unit_data.h"
#include "../mini/labels.h"
#include "../mini/units.h"
#include "../models/tokens.h"
#include "../models/text.h"
#include "../training/trainer.h"

#include <stdio.h>
#include <string.h>

enum { MOST_CLAIMS = 2048 };
static const Preparation fit = {.width = MINI_SIDE, .height = MINI_SIDE};

/* ---- claims ---------------------------------------------------------------------------------- */

static int claim_of(const char *text)
{
    char written[MINI_CAPTION_BYTES];
    for (int claim = 0; claim < mini_claim_count(); claim++) {
        mini_claim_text(claim, 0, written);
        if (strcmp(written, text) == 0)
            return claim;
    }
    printf("  no claim is '%s'\n", text);
    return -1;
}

// A field with a car of 12 cells, 5 of them red, one wheel of 4 and a hub of 3.
static void draw_car(MiniImage *image)
{
    memset(image, 0, sizeof *image);
    image->kind = 2 * 3; // of the third scene
    for (int cell = 0; cell < MINI_CELLS; cell++) {
        image->maps[MINI_MAP_COLOR][cell]  = LABEL_GREEN;
        image->maps[MINI_MAP_OBJECT][cell] = LABEL_GRASS;
    }
    for (int cell = 0; cell < 12; cell++) {
        image->maps[MINI_MAP_OBJECT][cell]  = LABEL_CAR;
        image->maps[MINI_MAP_COLOR][cell]   = cell < 5 ? LABEL_RED : LABEL_BLACK;
        image->maps[MINI_MAP_PART][cell]    = cell > 7 ? LABEL_WHEEL : LABEL_BODY;
        image->maps[MINI_MAP_SUBPART][cell] = cell > 8 ? LABEL_HUB : LABEL_NONE;
    }
}

static void masks_decide_what_is_true(void)
{
    static const struct {
        const char *text;
        bool        is_true;
    } cases[] = {{"car", true},        {"grass", true},
                 {"dog", false},       {"green", true},
                 {"red", false}, // in 5 cells of 1024
                 {"red car", true},    {"black car", true},
                 {"green car", false}, {"green grass", true},
                 {"wheel", true},      {"wheel of a car", true},
                 {"hub", false},       {"wheel of grass", false},
                 {"field", true},      {"beach", false},
                 {"striped", false}};
    MiniImage image;
    bool      is_true[MOST_CLAIMS];
    REQUIRE(mini_claim_count() <= MOST_CLAIMS);
    draw_car(&image);
    mini_claims(&image, is_true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int claim = claim_of(cases[i].text);
        REQUIRE(claim >= 0);
        if (!CHECK(is_true[claim] == cases[i].is_true))
            printf("  %s\n", cases[i].text);
    }
}

static void texts_are_of_few_words_that_say_the_claim(void)
{
    static const struct {
        const char *shortest, *others[3];
    } cases[] = {{"orange car", {"an orange car", "a photo of an orange car", "the car is orange"}},
                 {"wheel of a car",
                  {"the wheel of a car", "a car with a wheel", "a photo of the wheel of a car"}},
                 {"snow", {"snow", "a photo of snow", "there is snow"}},
                 {"red", {"something red", "the colour red", "red things"}},
                 {"brick", {"something of brick", "made of brick", "a brick surface"}},
                 {"street", {"a street scene", "a photo of a street", "at a street"}},
                 {"striped", {"a striped texture", "a striped pattern", "something striped"}}};
    TrainingSet set = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int form = 1; form < MINI_FORMS; form++) {
            char text[MINI_CAPTION_BYTES];
            mini_claim_text(claim_of(cases[i].shortest), form, text);
            CHECK_TEXT(text, cases[i].others[form - 1]);
        }
    REQUIRE(caption_data_open(&set, "mini:4:1", "mini", NULL, NULL));
    int32_t unknown = words_token_count(set.captions->list) - 3;
    CHECK(word_list_count(set.captions->list) <= CAPTION_WORDS);
    for (int64_t i = 0; i < set.captions->texts * CAPTION_ROW; i++)
        CHECK(set.captions->tokens[i] != unknown);
    training_set_free(&set);
}

static void whole_words_end_with_the_largest_token(void)
{
    WordList *list = NULL;
    int32_t   row[6], cut[3];
    REQUIRE(word_list_open(&list, "a\nred\ncar\n", 10, "words", NULL));
    words_tokens(list, "A RED, unheard-of", 6, row);
    CHECK(row[0] == 4 && row[1] == 0 && row[2] == 1 && row[3] == 3 && row[4] == 3 && row[5] == 5);
    words_tokens(list, "car red a", 3, cut);
    CHECK(cut[0] == 4 && cut[1] == 2 && cut[2] == 5);
    CHECK(words_token_count(list) == 6);
    word_list_close(list);
}

// Every colour and every object that is held out somewhere is said somewhere else.
static void held_out_compounds_are_of_known_words(void)
{
    int held[LABEL_COUNT] = {0}, said[LABEL_COUNT] = {0};
    for (int claim = 0; claim < mini_claim_count(); claim++) {
        MiniClaim c       = mini_claim(claim);
        bool      is_held = mini_claim_is_held_out(claim);
        CHECK(!is_held || c.kind == CLAIM_COMPOUND);
        if (c.kind == CLAIM_COMPOUND) {
            (is_held ? held : said)[c.label]++;
            (is_held ? held : said)[c.of]++;
        }
    }
    for (int label = 1; label < LABEL_COUNT; label++)
        CHECK((held[label] > 0) == (said[label] > 0));
    CHECK(held[LABEL_RED] > 0 && held[LABEL_CAR] > 0);
}

static void drawn_captions_are_true_and_never_held_out(void)
{
    TrainingSet set   = {0};
    int64_t     claim = -1, other = -1, moved = 0;
    REQUIRE(caption_data_open(&set, "mini:40:3", "mini", NULL, NULL));
    for (int64_t image = 0; image < set.count; image++)
        for (int64_t epoch = 0; epoch < 10; epoch++) {
            int64_t text = captions_draw(set.captions, 1, epoch, image, &claim);
            CHECK(captions_true(set.captions, image, claim) && !set.captions->is_kept[claim]);
            CHECK(text / MINI_FORMS == claim);
            CHECK(captions_draw(set.captions, 1, epoch, image, &other) == text && other == claim);
            moved += captions_draw(set.captions, 1, epoch + 1, image, &other) != text;
        }
    CHECK(moved > 200);
    training_set_free(&set);
}

/* ---- units ----------------------------------------------------------------------------------- */

// Masks of right exemplars lie on their claim; a tenth is wrong; random ones know nothing.
static void masks_of_units_show_their_claim(void)
{
    int64_t right = 0, wrong = 0, inside = 0, all = 0, by_chance = 0, chance_all = 0;
    for (int64_t index = 0; index < 300; index++) {
        MiniImage image;
        bool      is_true[MOST_CLAIMS];
        uint8_t   cells[MINI_CELLS], mask[MINI_PIXELS], other[MINI_PIXELS];
        uint32_t  word = 0;
        MiniUnit  unit = {5, index, claim_of("tree")};
        mini_draw(7, index, &image);
        mini_claims(&image, is_true);
        bool is_wrong = mini_unit_is_wrong(&unit, 3, &word);
        wrong += is_wrong;
        if (is_wrong || !is_true[unit.claim])
            continue;
        right++;
        mini_unit_mask(&unit, 3, &image, false, mask);
        mini_unit_mask(&unit, 3, &image, true, other);
        CHECK(!mini_claim_cells(&image, unit.claim, cells));
        for (int p = 0; p < MINI_PIXELS; p++) {
            int cell = p / MINI_SIDE / 2 * MINI_MAP + p % MINI_SIDE / 2;
            all += mask[p], inside += mask[p] & cells[cell];
            chance_all += other[p], by_chance += other[p] & cells[cell];
        }
    }
    CHECK(right > 40 && wrong > 12 && wrong < 50);
    CHECK(all > 0 && chance_all > 0);
    CHECK(3 * inside > 2 * all); // dilated, so not all of it
    CHECK(2 * by_chance < chance_all);
}

/* ---- trainings ------------------------------------------------------------------------------- */

static TrainSettings settings_of(const char *objective)
{
    TrainSettings settings = {.optimiser = {OPTIMISER_ADAM, 0.002, 0.9, 0.999, 1e-8, 0, false},
                              .batch     = 16,
                              .epochs    = 2,
                              .seed      = 7,
                              .flip      = true};
    settings.objective.row = strcmp(objective, "caption") == 0 ? objective_of_units() : 5;
    return settings;
}

static bool train(const char *from, const char *to, const TrainingSet *set,
                  const TrainSettings *settings, int64_t steps)
{
    WeightBlob *blob    = NULL;
    Trainer    *trainer = NULL;
    Error       error   = {0};
    bool ok = blob_open(from, &blob, &error) && trainer_open(&trainer, blob, set, settings, &error);
    for (int64_t i = 0; ok && i < steps; i++) {
        double  loss    = 0;
        int64_t correct = 0;
        ok              = trainer_step(trainer, &loss, &correct, &error);
    }
    ok = ok && trainer_save(trainer, to, true, NULL, &error);
    trainer_close(trainer);
    blob_close(blob);
    if (!ok)
        printf("  %s\n", error.message);
    return ok;
}

// 3 steps an epoch, the last of 8; stopped in the middle of the second epoch.
static void check_resumed(const char *start, const TrainingSet *set, const char *objective)
{
    TrainSettings settings = settings_of(objective);
    char          half[LIMIT_PATH], whole[LIMIT_PATH], resumed[LIMIT_PATH];
    snprintf(half, sizeof half, "%s", in_folder("half.nw"));
    snprintf(whole, sizeof whole, "%s", in_folder("whole.nw"));
    snprintf(resumed, sizeof resumed, "%s", in_folder("resumed.nw"));
    REQUIRE(train(start, whole, set, &settings, 6));
    REQUIRE(train(start, half, set, &settings, 4));
    REQUIRE(train(half, resumed, set, &settings, 2));
    CHECK(same_file(whole, resumed));
    CHECK(!same_file(whole, half));
}

static void a_resumed_pair_ends_with_the_same_bytes(void)
{
    TrainingSet set   = {0};
    WeightBlob *blob  = NULL;
    WordList   *words = NULL;
    const char *start = in_folder("start.nw");
    REQUIRE(caption_data_open(&set, "mini:40:1", "mini", NULL, NULL));
    REQUIRE(training_begin(start, "clip_mini", "relu", &set, MINI_SIDE, 1, NULL));
    check_resumed(start, &set, "contrastive");
    REQUIRE(blob_open(in_folder("whole.nw"), &blob, NULL));
    CHECK(blob_words(blob, &words, NULL)); // came along
    word_list_close(words);
    blob_close(blob);
    training_set_free(&set);
}

// The encoder stays as it is.
static void a_resumed_captioner_ends_with_the_same_bytes(void)
{
    static const char name[] = "features.17.weight";
    TrainingSet       photos = {0}, set = {0};
    WeightBlob       *encoder = NULL, *blob = NULL;
    const real       *before = NULL, *after = NULL;
    Bytes             drawn = {0};
    Shape             shape = shape_4d(96, 96, 3, 3);
    const char       *pair = in_folder("pair.nw"), *start = in_folder("start.nw");
    REQUIRE(caption_data_open(&photos, "mini:300:1", "mini", NULL, NULL));
    REQUIRE(training_begin(pair, "clip_mini", "relu", &photos, MINI_SIDE, 1, NULL));
    training_set_free(&photos);
    REQUIRE(blob_open(pair, &encoder, NULL));
    REQUIRE(unit_data_open(&set, "mini:300:1", 40, encoder, false, NULL));
    REQUIRE(captioner_draw(&drawn, encoder, &set, 1, NULL));
    REQUIRE(file_publish(start, drawn.data, drawn.size, NULL));
    bytes_close(&drawn);
    check_resumed(start, &set, "caption");
    REQUIRE(blob_open(in_folder("whole.nw"), &blob, NULL));
    REQUIRE(blob_find(encoder, name, shape, &before, NULL));
    REQUIRE(blob_find(blob, "encoder.encoder.model.features.17.weight", shape, &after, NULL));
    CHECK(memcmp(before, after, (size_t)shape_elements(shape) * sizeof *before) == 0);
    blob_close(blob);
    blob_close(encoder);
    training_set_free(&set);
}

// Three photos of one word each: learned in some steps, and found again.
static void a_pair_learns_captions_of_a_file(void)
{
    static const char captions[] = "image,caption\n"
                                   "images/mini/000000.jpg,first one\n"
                                   "images/mini/000001.jpg,second\n"
                                   "images/mini/000002.jpg,\"third, too\"\n"
                                   "images/mini/000000.jpg,again the first\n";
    char              folder[LIMIT_PATH], file[LIMIT_PATH];
    TrainingSet       set      = {0};
    TrainSettings     settings = settings_of("contrastive");
    RetrievalScore    all = {0}, kept = {0};
    WeightBlob       *blob = NULL;
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(file, sizeof file, "%s", in_folder("captions.csv"));
    REQUIRE(mini_write(folder, 3, 3, NULL, NULL, NULL));
    REQUIRE(file_publish(file, captions, sizeof captions - 1, NULL));
    REQUIRE(caption_data_open(&set, folder, file, &fit, NULL));
    CHECK(set.count == 3 && set.captions->claims == 4 && word_list_count(set.captions->list) == 7);
    CHECK(captions_true(set.captions, 0, 3) && captions_true(set.captions, 0, 0));
    CHECK(!captions_true(set.captions, 1, 0));
    settings.batch  = 3;
    settings.epochs = 40;
    settings.flip   = false;
    REQUIRE(training_begin(in_folder("start.nw"), "clip_mini", "relu", &set, MINI_SIDE, 1, NULL));
    REQUIRE(train(in_folder("start.nw"), in_folder("end.nw"), &set, &settings, 40));
    REQUIRE(blob_open(in_folder("end.nw"), &blob, NULL));
    REQUIRE(training_retrieval(blob, &set, &all, &kept, NULL));
    CHECK(all.images == 3 && all.texts == 4 && all.accuracy == 1 && all.chance == 0);
    CHECK(kept.images == 0);
    blob_close(blob);
    training_set_free(&set);
}

static void refusals_say_what_was_wanted(void)
{
    TrainingSet set   = {0};
    Error       error = {0};
    CHECK(!caption_data_open(&set, "mini:4:1", "words.csv", NULL, &error));
    CHECK(error.code == ERROR_USAGE);
    error = (Error){0};
    CHECK(!caption_data_open(&set, test_folder(), "mini", &fit, &error));
    CHECK(error.code == ERROR_USAGE);
    static const char above[] = "image,caption\n../a.jpg,x\n";
    REQUIRE(file_publish(in_folder("above.csv"), above, sizeof above - 1, NULL));
    error = (Error){0};
    CHECK(!caption_data_open(&set, test_folder(), in_folder("above.csv"), &fit, &error));
    CHECK(error.code == ERROR_DATA && strstr(error.message, "../a.jpg"));
    static const char silent[] = "image,caption\na.jpg,...\n";
    REQUIRE(file_publish(in_folder("silent.csv"), silent, sizeof silent - 1, NULL));
    error = (Error){0};
    CHECK(!caption_data_open(&set, test_folder(), in_folder("silent.csv"), &fit, &error));
    CHECK(error.code == ERROR_DATA && strstr(error.message, "silent.csv: its captions have no"));
}

SUITE(towers)
{
    RUN(masks_decide_what_is_true);
    RUN(texts_are_of_few_words_that_say_the_claim);
    RUN(whole_words_end_with_the_largest_token);
    RUN(held_out_compounds_are_of_known_words);
    RUN(drawn_captions_are_true_and_never_held_out);
    RUN(masks_of_units_show_their_claim);
    RUN(a_resumed_pair_ends_with_the_same_bytes);
    RUN(a_resumed_captioner_ends_with_the_same_bytes);
    RUN(a_pair_learns_captions_of_a_file);
    RUN(refusals_say_what_was_wanted);
}
