/* cli/bert_options.c - see bert_options.h. */
#include "bert_options.h"

#include "output.h"

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
