/* cli/corruption.c - see corruption.h. */
#include "corruption.h"
#include "../base/file.h"
#include "run_request.h"

#include <string.h>

static void choose_arms(Corruption *corruption)
{
    const ChoiceList *stores = &corruption->settings->stores;
    char              text[64] = "";
    for (int i = 0; i < stores->count; i++)
        store_arm_parse(choice_text(STORE_CHOICES, stores->value[i]), &corruption->arms[i], NULL);
    corruption->arm_count = stores->count;
    if (stores->count == 0) {
        corruption->arms[0]   = store_arm_default(corruption->experiment.request.mode);
        corruption->arm_count = 1;
    }
    for (int i = 0; i < corruption->arm_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "",
                 store_arm_name(corruption->arms[i]));
    }
    identity_text(&corruption->identity, "store", text);
}

bool corruption_open(Corruption *out, const Verb *verb, const Settings *settings, Error *error)
{
    ExperimentRequest request;
    *out = (Corruption){.verb = verb, .settings = settings};
    if (!run_folder_read(settings->baseline, &out->baseline, error) ||
        !run_request(&out->baseline, settings->baseline, settings, &request, error) ||
        !run_folder_claim(&out->folder, settings, error) ||
        !experiment_open(&out->experiment, &request, settings, verb->name, error) ||
        !run_same_inputs(&out->baseline, settings->baseline, &out->experiment, error))
        return false;
    experiment_identify(&out->experiment, verb->name, &out->identity);
    identity_whole(&out->identity, "seed", settings->seed);
    choose_arms(out);
    identity_text(&out->identity, "keep_images", settings->keep_images ? "yes" : "no");
    return true;
}

bool corruption_load(Corruption *corruption, Error *error)
{
    const Settings *settings   = corruption->settings;
    Experiment     *experiment = &corruption->experiment;
    RunFolder      *folder     = &corruption->folder;
    if (!run_folder_compare(folder, settings, &corruption->identity, error))
        return false;
    if (folder->is_done)
        return true;
    if (!experiment_load(experiment, error) ||
        !run_record_open(&corruption->record, settings->baseline, &experiment->probe, error))
        return false;
    if (corruption->record.unit_count != experiment->source.units)
        return fail(error, ERROR_DATA, "%s: has %lld units, layer '%s' has %lld",
                    settings->baseline, (long long)corruption->record.unit_count,
                    experiment->request.layer, (long long)experiment->source.units);
    if (!experiment_keep(experiment, folder, &corruption->identity, settings, error) ||
        !changes_resume(&corruption->earlier, &experiment->checkpoint, &experiment->probe, error))
        return false;
    if (settings->keep_images && (!path_join(corruption->images, folder->path, "poisoned", error) ||
                                  !folder_create(corruption->images, error)))
        return false;
    corruption->clean = (CleanRun){.probe        = &experiment->probe,
                                   .label_planes = experiment->planes,
                                   .images       = experiment->images,
                                   .layer        = experiment->source,
                                   .settings     = &experiment->rules,
                                   .record       = &corruption->record};
    return true;
}

const char *corruption_keep_folder(const Corruption *corruption)
{
    return corruption->images[0] ? corruption->images : NULL;
}

bool corruption_checkpoint(void *self, const Changes *changes, Error *error)
{
    Corruption *corruption = self;
    if (changes->count <= corruption->earlier.count)
        return true;
    return changes_keep(changes, &corruption->experiment.checkpoint, error) &&
           changes_write(changes, &corruption->experiment.probe, corruption->folder.path, error);
}

ChangeObserver corruption_observer(Corruption *corruption)
{
    return (ChangeObserver){corruption_checkpoint, corruption};
}

void corruption_close(Corruption *corruption, bool ok)
{
    if (!ok && corruption->images[0])
        folder_remove(corruption->images);
    run_folder_close(&corruption->folder);
    changes_close(&corruption->changes);
    changes_close(&corruption->earlier);
    run_record_close(&corruption->record);
    experiment_close(&corruption->experiment);
    identity_free(&corruption->identity);
    json_free(&corruption->baseline);
}
