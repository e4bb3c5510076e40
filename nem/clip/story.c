/* nem/clip/story.c - how one unit came by its word: the best words, and how close its strongest
 * images are to the first of them. */
#include "../../format/table.h"
#include "clip_private.h"

typedef struct StoryWord {
    const char *text;
    double similarity, own, common; // own - lambda common; common 0 where units are not coupled
} StoryWord;

struct Story {
    const Similarity *rule;
    StoryWord         words[CLIP_STORY_WORDS];
    int               word_count, top_count;
    PeakImage         top[STORY_IMAGES];
    float             cosine[STORY_IMAGES]; // of each top image with the first word
};

bool clip_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                const float *maps, const PeakImage *top, int top_count, Story **out, Error *error)
{
    const Clip *clip  = explainer->state;
    Story      *story = memory_new(1, sizeof *story, error);
    int32_t     best[CLIP_STORY_WORDS];
    (void)unit;
    (void)maps;
    if (!story)
        return false;
    story->rule       = clip->similarity;
    story->word_count = clip_best(clip, evidence, 0, CLIP_STORY_WORDS, best);
    for (int k = 0; k < story->word_count; k++)
        story->words[k] = (StoryWord){
            clip->concepts.text[best[k] + 1], clip_score(clip, evidence, 0, best[k]),
            (double)evidence->scores[best[k]], evidence->common ? evidence->common[best[k]] : 0};
    story->top_count = clip->clean.images && story->word_count ? top_count : 0;
    for (int k = 0; k < story->top_count; k++) {
        story->top[k]    = top[k];
        story->cosine[k] = clip_cosine(clip, top[k].image, best[0]);
    }
    *out = story;
    return true;
}

void clip_story_close(Story *story)
{
    memory_free(story);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void write_word(const Story *story, const StoryWord *word, JsonWriter *json)
{
    json_open_object(json, NULL);
    json_text(json, "word", word->text);
    json_number(json, "similarity", word->similarity);
    if (story->rule->lambda > 0) {
        json_number(json, "of_unit", word->own);
        json_number(json, "of_layer", word->common);
    }
    json_close(json);
}

void clip_story_json(const Explainer *explainer, const Story *story, JsonWriter *json)
{
    json_text(json, "similarity", story->rule->name);
    json_open_array(json, "words");
    for (int k = 0; k < story->word_count; k++)
        write_word(story, &story->words[k], json);
    json_close(json);
    json_open_array(json, "top_images");
    for (int k = 0; k < story->top_count; k++) {
        json_open_object(json, NULL);
        json_whole(json, "image", story->top[k].image);
        json_text(json, "path", probe_image_path(explainer->inputs.probe, story->top[k].image));
        json_number(json, "peak", (double)story->top[k].peak);
        json_number(json, "cosine", (double)story->cosine[k]);
        json_close(json);
    }
    json_close(json);
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool print_words(const Story *story, FILE *stream, Error *error)
{
    bool  is_coupled = story->rule->lambda > 0;
    Table table      = {.columns = is_coupled ? 4 : 2, .alignment = is_coupled ? "lrrr" : "lr"};
    table_cell(&table, "word");
    table_cell(&table, "%s", story->rule->name);
    if (is_coupled) {
        table_cell(&table, "of the unit");
        table_cell(&table, "of the layer");
    }
    for (int k = 0; k < story->word_count; k++) {
        const StoryWord *word = &story->words[k];
        table_cell(&table, "%s", word->text);
        table_cell(&table, "%.6f", word->similarity);
        if (is_coupled) {
            table_cell(&table, "%.6f", word->own);
            table_cell(&table, "%.6f", word->common);
        }
    }
    return table_print(&table, stream, error);
}

static bool print_top(const Explainer *explainer, const Story *story, FILE *stream, Error *error)
{
    Table table = {.columns = 3, .alignment = "rrl"};
    table_cell(&table, "peak");
    table_cell(&table, "cosine");
    table_cell(&table, "image");
    for (int k = 0; k < story->top_count; k++) {
        table_cell(&table, "%.6g", (double)story->top[k].peak);
        table_cell(&table, "%.4f", (double)story->cosine[k]);
        table_cell(&table, "%s", probe_image_path(explainer->inputs.probe, story->top[k].image));
    }
    return table_print(&table, stream, error);
}

bool clip_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error)
{
    fprintf(stream, "%s\n", story->word_count ? "" : "\nno word: no concept has a similarity");
    bool ok = print_words(story, stream, error);
    if (story->rule->lambda > 0)
        fprintf(stream, "\n%s = of the unit - %g x of the layer\n", story->rule->name,
                story->rule->lambda);
    fprintf(stream, "\n");
    return print_top(explainer, story, stream, error) && ok;
}

/* ---- page ------------------------------------------------------------------------------------ */

void clip_story_page(const Explainer *explainer, const Story *story, Writer *page)
{
    bool is_coupled = story->rule->lambda > 0;
    (void)explainer;
    if (!story->word_count) {
        writer_text(page, "<p>No concept of the list has a similarity with this unit.</p>\n");
        return;
    }
    writer_text(page,
                "<div class=\"scroll\"><table class=\"ranks\">\n<caption>The word and its "
                "runners-up by %s%s</caption>\n<thead><tr><th scope=\"col\">word</th>",
                story->rule->name,
                is_coupled ? ": how well each fits the strongest photos of the unit, less how well "
                             "it fits those of all units of the layer (logarithms)"
                           : "");
    if (is_coupled)
        writer_text(page, "<th scope=\"col\">of the unit</th><th scope=\"col\">of the layer</th>");
    writer_text(page, "<th scope=\"col\">similarity</th></tr></thead>\n<tbody>\n");
    for (int k = 0; k < story->word_count; k++) {
        const StoryWord *word = &story->words[k];
        writer_text(page, "<tr><th scope=\"row\">");
        html_name(page, word->text);
        writer_text(page, "</th>");
        if (is_coupled)
            writer_text(page, "<td>%.4f</td><td>%.4f</td>", word->own, word->common);
        writer_text(page, "<td>%.4f</td></tr>\n", word->similarity);
    }
    writer_text(page, "</tbody></table></div>\n");
}

void clip_story_caption(const Story *story, int k, Writer *page)
{
    if (k < story->top_count)
        writer_text(page, "cosine with the word %.4f", (double)story->cosine[k]);
}
