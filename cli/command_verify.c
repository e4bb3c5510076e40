/* cli/command_verify.c - checks a probing set: every file, label and count. */
#include "../base/file.h"
#include "../probe/probe.h"
#include "commands.h"
#include "../format/json.h"
#include "output.h"

typedef struct Findings {
    bool       as_json;
    JsonWriter json;
} Findings;

static void report_problem(void *self, const char *problem)
{
    Findings *findings = self;
    if (findings->as_json) {
        json_text(&findings->json, NULL, problem);
    } else {
        print_clean(stdout, problem);
        printf("\n");
    }
}

static bool run(const Settings *settings, Error *error)
{
    ProbeSet     probe    = {0};
    ProbeRequest request  = {.limit = settings->limit, .accepts_twice = true};
    Findings     findings = {.as_json = settings->json};
    int64_t      problems = 0;
    bool         tables   = probe_is_tables(settings->data);
    if (!(tables || !folder_exists(settings->data)
              ? probe_open(&probe, settings->data, &request, error)
              : probe_open_photos(&probe, settings->data, NULL, settings->limit, error)))
        return false;
    JsonWriter *json = &findings.json;
    json_open_object(json, NULL);
    json_text(json, "path", settings->data);
    json_text(json, "index_sha256", probe.index_sha256);
    json_whole(json, "images", probe.image_count);
    json_whole(json, "labels", probe.label_count - 1);
    json_open_array(json, "problems");
    bool ok = tables ? probe_verify(&probe, report_problem, &findings, &problems, NULL, error)
                     : probe_verify_photos(&probe, report_problem, &findings, &problems, error);
    json_close(json);
    json_close(json);
    if (ok && settings->json)
        ok = json_print(json, error);
    else if (ok && !tables)
        printf("%lld photos without label maps: %lld problem%s\n", (long long)probe.image_count,
               (long long)problems, problems == 1 ? "" : "s");
    else if (ok)
        printf("%lld images, %d labels, %d categories: %lld problem%s\n",
               (long long)probe.image_count, (int)probe.label_count - 1, probe.category_count,
               (long long)problems, problems == 1 ? "" : "s");
    if (ok && problems > 0)
        ok = fail(error, ERROR_CHECK, "%s: %lld problem%s, expected none", settings->data,
                  (long long)problems, problems == 1 ? "" : "s");
    json_discard(json);
    probe_close(&probe);
    return ok;
}

static const Option options[] = {
    {.name   = "data",
     .letter = 'd',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, data),
     .value  = "PROBE",
     .help   = "the same as PROBE: a folder in Broden's layout, or of photos"},
    OPTION_END};

const Verb verb_verify = {
    .name        = "verify",
    .inputs      = "PROBE",
    .input_least = 1,
    .input_most  = 1,
    .spelled     = "data",
    .summary     = "check a probing set",
    .details =
        "Opens every picture and label map of index.csv, checks sizes, label numbers and the "
        "counts of label.csv, and lists each problem on a line; of a folder of photos, or of "
        "folders of photos, opens each. Exit 1 if there is a problem.",
    .example = "nemesis verify broden1_224",
    .options = options,
    .shared  = "threads|limit|max-pixels|" SHARED_BY_ALL,
    .run     = run,
};
