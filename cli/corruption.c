/* cli/corruption.c - see corruption.h. */
#include "corruption.h"
#include "next.h"
#include "outputs.h"
#include "sharing.h"

#include <string.h>

static bool choose_arms(Corruption *corruption, Error *error)
{
    const ChoiceList *stores   = &corruption->run.settings->stores;
    char              text[64] = "";
    corruption->arm_count      = stores->count ? stores->count : 1;
    for (int i = 0; i < stores->count; i++)
        corruption->arms[i] = (StoreArm)stores->value[i];
    if (!stores->count && !store_arm_parse(corruption->baseline.inputs.request.mode->store,
                                           &corruption->arms[0], error))
        return false;
    for (int i = 0; i < corruption->arm_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "",
                 store_arm_name(corruption->arms[i]));
    }
    identity_text(&corruption->run.identity, "store", text);
    return true;
}

bool corruption_open(Corruption *out, const Verb *verb, const Settings *settings, Error *error)
{
    memset(out, 0, sizeof *out);
    run_open(&out->run, verb->name, settings);
    if (!clean_run_open(&out->baseline, settings->baseline, settings, error) ||
        !clean_run_is_baseline(&out->baseline, settings->baseline, error))
        return false;
    const InputsRequest *request = &out->baseline.inputs.request;
    UsedPath             used[USED_INPUTS];
    int                  count  = run_inputs_used(request, used);
    const UsedPath       bert[] = {{"the encoder", settings->bert},
                                   {"the baselines", settings->bert_baseline}};
    if (!output_folder_check(settings->out, &(UsedPath){"the baseline", settings->baseline}, 1,
                             error) ||
        !output_folder_check(settings->out, used, count, error) ||
        !output_folder_check(settings->out, bert, 2, error) ||
        !run_folder_claim(&out->run.folder, settings, &run_result, error) ||
        !bert_open(settings, &out->bert, error))
        return false;
    out->likeness = bert_likeness(out->bert);
    run_identify(&out->run, &out->baseline.inputs);
    identity_text(&out->run.identity, "nem", out->baseline.inputs.request.method->name);
    bert_identify(out->bert, settings, &out->run.identity);
    identity_whole(&out->run.identity, "seed", settings->seed);
    if (!choose_arms(out, error))
        return false;
    identity_text(&out->run.identity, "keep_images", settings->keep_images ? "yes" : "no");
    return true;
}

// The rows of all pieces, as if an interrupted run had left them.
static bool take_pieces(Corruption *corruption, Error *error)
{
    Pieces pieces = sharing_pieces(&corruption->run);
    return rows_join(&corruption->earlier, corruption->baseline.inputs.explainer.labels, &pieces,
                     error);
}

bool corruption_load(Corruption *corruption, Error *error)
{
    Run            *run      = &corruption->run;
    CleanRunFiles  *baseline = &corruption->baseline;
    const Settings *settings = run->settings;
    if (!run_resume(run, error))
        return false;
    if (run->folder.is_done)
        return true;
    if (!clean_run_load(baseline, settings->baseline, &run->pass, error) ||
        !run_resume_of(run, &baseline->inputs, error))
        return false;
    if (corruption->bert)
        baseline->inputs.explainer.likeness = &corruption->likeness;
    if (!changes_resume(&corruption->earlier, baseline->inputs.explainer.labels, &run->checkpoint,
                        error))
        return false;
    return clean_run_share(baseline, settings, error) &&
           (!sharing_is(settings, SHARING_MERGE) || take_pieces(corruption, error));
}

bool corruption_store(Corruption *corruption, const char **folder, Error *error)
{
    Run *run = &corruption->run;
    *folder  = NULL;
    if (!run->settings->keep_images || run->settings->dry_run)
        return true;
    *folder = corruption->images;
    return run_folder_start(&run->folder, &run->identity, error) &&
           path_join(corruption->images, run->folder.path, "poisoned", error) &&
           folder_create(corruption->images, error);
}

bool corruption_checkpoint(void *self, const Changes *changes, Error *error)
{
    Corruption *corruption = self;
    if (changes->count <= corruption->earlier.count || corruption->run.settings->dry_run)
        return true;
    const Explainer *explainer = &corruption->baseline.inputs.explainer;
    return changes_save(changes, explainer->labels, &corruption->run.checkpoint, error) &&
           changes_write_part(changes, explainer, corruption->run.folder.path, error);
}

// Rows of changes.csv have about 200 bytes; stored images are as large as pixels are, or smaller.
int64_t corruption_bytes(const Corruption *corruption, int64_t rows, int64_t images)
{
    const ActivationSource *layer  = &corruption->baseline.inputs.explainer.inputs.layer;
    int64_t                 values = 3 * layer->image_height * layer->image_width, bytes = 0;
    for (int i = 0; i < corruption->arm_count; i++) {
        StoreArm arm = corruption->arms[i];
        bytes += images * (arm == STORE_FLOAT  ? 4 * values
                           : arm == STORE_PNG8 ? values
                                               : values / 4);
    }
    return (corruption->run.settings->keep_images ? bytes : 0) + 200 * rows + 8192;
}

ChangeObserver corruption_observer(Corruption *corruption)
{
    return (ChangeObserver){corruption_checkpoint, corruption};
}

bool corruption_tell(const Corruption *corruption, Error *error)
{
    const Settings *settings = corruption->run.settings;
    const char     *files[6] = {"changes.csv", "summary.csv"};
    int             count    = 2;
    if (corruption->bert || corruption->baseline.inputs.request.method->compare)
        files[count++] = "similarity.csv";
    files[count++] = "run.json";
    if (settings->keep_images)
        files[count] = "poisoned/";
    if (!tell_results(settings, files, NULL, error))
        return false;
    tell_next_report(settings);
    return true;
}

void corruption_close(Corruption *corruption, bool ok)
{
    if (!ok && corruption->images[0])
        folder_remove(corruption->images);
    run_close(&corruption->run);
    changes_close(&corruption->changes);
    changes_close(&corruption->earlier);
    bertscore_close(corruption->bert);
    clean_run_close(&corruption->baseline);
}
