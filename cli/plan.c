/* cli/plan.c - plan.json, written and read. */
#include "plan.h"
#include "../base/digest.h"
#include "../base/parallel.h"
#include "../engine/engine.h"
#include "commands.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

enum { PLAN_FORMAT = 1 };

const char *kernels_that_agree(const char *isa)
{
    return strcmp(isa, "avx2") == 0 || strcmp(isa, "avx512") == 0 ? "avx2, avx512" : isa;
}

void plan_phase(Plan *plan, const char *name, int64_t count)
{
    PlanPhase *phase = &plan->phases[plan->phase_count++];
    snprintf(phase->name, sizeof phase->name, "%s", name);
    phase->first = plan->pieces;
    phase->count = count;
    plan->pieces += count;
}

int plan_phase_of(const Plan *plan, int64_t piece)
{
    int phase = 0;
    while (phase + 1 < plan->phase_count && piece >= plan->phases[phase + 1].first)
        phase++;
    return phase;
}

/* ---- what a plan can hold --------------------------------------------------------------------- */

bool plan_count_fits(const Plan *plan, Error *error)
{
    int64_t cut = 0;
    for (int i = 0; i < plan->phase_count; i++)
        cut += plan->phases[i].count > 1;
    if (plan->pieces <= PLAN_MOST_PIECES || !cut)
        return true;
    return fail(error, ERROR_USAGE,
                "plan: %lld pieces over all phases are more than the %d that Slurm takes by "
                "default; --shards %lld fits",
                (long long)plan->pieces, PLAN_MOST_PIECES,
                (long long)((PLAN_MOST_PIECES - plan->phase_count + cut) / cut));
}

bool plan_words_fit(const Plan *plan, Error *error)
{
    for (int i = 0; i < plan->word_count; i++) {
        const unsigned char *at   = (const unsigned char *)plan->words[i];
        size_t               left = strlen(plan->words[i]);
        while (left) {
            int length = utf8_length(at, left);
            if (!length)
                return fail(error, ERROR_USAGE,
                            "plan: word %d of the command is not UTF-8, so plan.json cannot hold "
                            "it: '%.80s'",
                            i + 1, plan->words[i]);
            at += length;
            left -= (size_t)length;
        }
    }
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_identity(JsonWriter *json, const char *name, const Identity *identity)
{
    json_open_object(json, name);
    for (int i = 0; i < identity->count; i++)
        json_text(json, identity->name[i], identity->value[i]);
    json_close(json);
}

static void write_document(const Plan *plan, JsonWriter *json)
{
    char here[LIMIT_PATH];
    json_open_object(json, NULL);
    json_text(json, "program", "nemesis plan");
    json_text(json, "version", NEMESIS_VERSION);
    json_whole(json, "format", PLAN_FORMAT);
    json_open_array(json, "command");
    for (int i = 0; i < plan->word_count; i++)
        json_text(json, NULL, plan->words[i]);
    json_close(json);
    json_text(json, "directory", getcwd(here, sizeof here) ? here : NULL);
    json_text(json, "kernels", kernels_that_agree(engine_isa()));
    write_identity(json, "settings", &plan->settings);
    write_identity(json, "inputs", &plan->inputs);
    json_open_array(json, "phases");
    for (int i = 0; i < plan->phase_count; i++) {
        json_open_object(json, NULL);
        json_text(json, "name", plan->phases[i].name);
        json_whole(json, "pieces", plan->phases[i].count);
        json_close(json);
    }
    json_close(json);
    json_open_object(json, "estimate");
    json_number(json, "seconds", plan->estimate.seconds);
    json_number(json, "seconds_in_each_piece", plan->estimate.shared);
    json_whole(json, "threads", parallel_threads());
    json_whole(json, "memory_bytes", plan->estimate.memory_bytes);
    json_close(json);
    json_close(json);
}

bool plan_folders(const Plan *plan, Error *error)
{
    char folder[LIMIT_PATH];
    return path_join(folder, plan->path, PLAN_PIECES, error) && folder_create(folder, error) &&
           path_join(folder, plan->path, PLAN_WORK, error) && folder_create(folder, error);
}

bool plan_write(const Plan *plan, Error *error)
{
    char       path[LIMIT_PATH];
    JsonWriter json = {0};
    write_document(plan, &json);
    bool ok = json_finish(&json, error) && path_join(path, plan->path, "plan.json", error) &&
              file_publish(path, json.text, json.length, error);
    json_discard(&json);
    return ok;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_no_plan(const Plan *plan, const char *what, Error *error)
{
    return fail(error, ERROR_DATA, "%s/plan.json: %s", plan->path, what);
}

static bool read_words(Plan *plan, Error *error)
{
    const JsonNode *words = json_member(&plan->json, plan->json.nodes, "command");
    if (!words || words->kind != JSON_ARRAY || words->count < 1)
        return is_no_plan(plan, "has no command", error);
    plan->read_words = memory_new((size_t)words->count, sizeof *plan->read_words, error);
    if (!plan->read_words)
        return false;
    for (int i = words->first; i >= 0; i = plan->json.nodes[i].next) {
        if (plan->json.nodes[i].kind != JSON_TEXT)
            return is_no_plan(plan, "has a command with something else than words", error);
        plan->read_words[plan->word_count++] = plan->json.nodes[i].text;
    }
    plan->words = plan->read_words;
    plan->verb  = verb_named(plan->words[0]);
    return (plan->verb && plan->verb->is_cut) ||
           is_no_plan(plan, "is for a verb that this program cannot cut", error);
}

static bool read_whole(const Json *json, const JsonNode *object, const char *name, int64_t most,
                       int64_t *out)
{
    const JsonNode *node = json_member(json, object, name);
    uint64_t        value;
    if (!node || node->kind != JSON_NUMBER || !whole_parse(node->text, &value) || value < 1 ||
        value > (uint64_t)most)
        return false;
    *out = (int64_t)value;
    return true;
}

static bool read_phases(Plan *plan, Error *error)
{
    const Json     *json   = &plan->json;
    const JsonNode *phases = json_member(json, json->nodes, "phases");
    bool            ok =
        phases && phases->kind == JSON_ARRAY && phases->count >= 1 && phases->count <= PLAN_PHASES;
    for (int i = ok ? phases->first : -1; ok && i >= 0; i = json->nodes[i].next) {
        const JsonNode *name  = json_member(json, &json->nodes[i], "name");
        int64_t         count = 0;
        ok = name && name->kind == JSON_TEXT && strlen(name->text) < sizeof plan->phases->name &&
             read_whole(json, &json->nodes[i], "pieces", PLAN_SHARDS, &count);
        if (ok)
            plan_phase(plan, name->text, count);
    }
    return ok || is_no_plan(plan, "has phases that cannot be right", error);
}

static bool check_program(const Plan *plan, Error *error)
{
    const char *version = json_member_text(&plan->json, "version");
    const char *kernels = json_member_text(&plan->json, "kernels"), *isa = engine_isa();
    int64_t     format = 0;
    if (!version || !kernels ||
        !read_whole(&plan->json, plan->json.nodes, "format", INT32_MAX, &format))
        return is_no_plan(plan, "is no plan", error);
    if (format != PLAN_FORMAT || strcmp(version, NEMESIS_VERSION) != 0)
        return fail(error, ERROR_DATA,
                    "%s/plan.json: was made by nemesis %.40s, this is %s: pieces of a plan are of "
                    "one version",
                    plan->path, version, NEMESIS_VERSION);
    if (strcmp(kernels, kernels_that_agree(isa)) != 0)
        return fail(error, ERROR_DATA,
                    "%s: the kernels of this machine are %s, those of the plan %.40s: they round "
                    "otherwise, so their pieces do not make one run",
                    plan->path, isa, kernels);
    return true;
}

bool plan_open(Plan *out, const char *path, Error *error)
{
    char  name[LIMIT_PATH];
    Bytes bytes = {0};
    *out        = (Plan){0};
    if (strlen(path) >= sizeof out->path || !path_join(name, path, "plan.json", error))
        return fail(error, ERROR_USAGE, "the path of the plan is too long");
    snprintf(out->path, sizeof out->path, "%s", path);
    if (!file_exists(name))
        return fail(error, ERROR_NOT_FOUND, "%s: is no plan: it has no plan.json", path);
    bool ok = file_read(name, JSON_BYTES, &bytes, error) &&
              json_read(bytes.data, bytes.size, name, &out->json, error);
    if (ok)
        sha256_of(bytes.data, bytes.size, out->sha256);
    bytes_close(&bytes);
    return ok && check_program(out, error) && read_words(out, error) && read_phases(out, error);
}

void plan_close(Plan *plan)
{
    identity_free(&plan->settings);
    identity_free(&plan->inputs);
    memory_free(plan->read_words);
    json_free(&plan->json);
    *plan = (Plan){0};
}

const char *plan_text(const Plan *plan, const char *of, const char *name)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", of, name);
    return json_member_text(&plan->json, key);
}
