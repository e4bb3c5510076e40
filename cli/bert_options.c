/* cli/bert_options.c - see bert_options.h. */
#include "bert_options.h"

#include "../study/text_table.h"
#include "output.h"

#include <string.h>

bool bert_open(const Settings *settings, BertScore **out, Error *error)
{
    BertOptions options = {.baseline = settings->bert_baseline};
    BertScore  *bert    = NULL;
    if (!settings->bert && (settings->idf || settings->bert_baseline))
        return fail(error, ERROR_USAGE, "--%s needs --bert FILE.nw",
                    settings->idf ? "idf" : "bert-baseline");
    if (settings->bert && !bertscore_open(&bert, settings->bert, &options, error))
        return false;
    if (bert && !bertscore_has_baseline(bert))
        note(settings,
             "%s: is no published model by its shape, so F1-BERT is not rescaled; "
             "--bert-baseline names what by",
             settings->bert);
    *out = bert;
    return true;
}

// A description that stays is not embedded: it is 1 whatever it says.
static bool measure(void *self, const char *before, const char *after, double *out, Error *error)
{
    char *a = NULL, *b = NULL;
    bool  ok = text_table_plain(before, &a, error) && text_table_plain(after, &b, error);
    if (ok && strcmp(a, b) == 0)
        *out = 1;
    else if (ok)
        ok = bertscore_f1(self, b, a, out, error);
    memory_free(a);
    memory_free(b);
    return ok;
}

static bool prepare(void *self, const char *const *texts, int64_t count, Error *error)
{
    char **plain = memory_new((size_t)count, sizeof *plain, error);
    bool   ok    = plain != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        ok = text_table_plain(texts[i], &plain[i], error);
    ok = ok && bertscore_read(self, (const char *const *)plain, count, error);
    for (int64_t i = 0; plain && i < count; i++)
        memory_free(plain[i]);
    memory_free(plain);
    return ok;
}

Likeness bert_likeness(BertScore *bert)
{
    return (Likeness){.name = "f1-bert", .measure = measure, .prepare = prepare, .self = bert};
}

void bert_told(const BertScore *bert, char out[128])
{
    const char *model = bertscore_model(bert);
    snprintf(out, 128, "%s%sblock %d, %s", model, *model ? ", " : "", bertscore_layer(bert),
             bertscore_has_baseline(bert) ? "rescaled" : "raw");
}

void bert_identify(BertScore *bert, const Settings *settings, Identity *identity)
{
    char       told[160];
    BertValues zero = {0};
    if (bert) // what 0 becomes tells the baseline
        snprintf(told, sizeof told, "%s layer %d, zero is %.9g, %s", bertscore_sha256(bert),
                 bertscore_layer(bert), bertscore_rescaled(bert, zero).f1,
                 settings->idf ? "idf" : "plain");
    identity_text(identity, "bert", bert ? told : NULL);
}

void bert_json(BertScore *bert, const Settings *settings, const Run *run, JsonWriter *json)
{
    if (!bert)
        return;
    json_open_object(json, "bert");
    if (run)
        run_path(run, "path", settings->bert, json);
    else
        json_text(json, "path", settings->bert);
    json_text(json, "sha256", bertscore_sha256(bert));
    json_text(json, "model", bertscore_model(bert));
    json_whole(json, "layer", bertscore_layer(bert));
    json_flag(json, "rescaled", bertscore_has_baseline(bert));
    json_flag(json, "idf", settings->idf);
    json_close(json);
}
