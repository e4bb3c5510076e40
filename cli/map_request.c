/* cli/map_request.c - what `attribute` was asked for, see map_session.h. */
#include "../base/digest.h"
#include "../format/csv.h"
#include "map_files.h"
#include "map_options.h"
#include "map_session.h"
#include "outputs.h"
#include "version.h"

#include <string.h>

/* ---- what was asked for ---------------------------------------------------------------------- */

static bool has_classes(WeightBlob *blob)
{
    const char *layer = network_layer_name(blob, 0);
    for (int i = 0; layer && strcmp(layer, "logits") != 0; i++)
        layer = network_layer_name(blob, i + 1);
    return layer != NULL;
}

// Why a method does not suit; a network without classes can still be explained by its units.
static bool fail_to_choose(const MapSession *session, const Error *why, Error *error)
{
    if (session->unit < 0 && why->code != ERROR_MEMORY && !has_classes(session->blob))
        return fail(error, why->code,
                    "%s: has no classes to explain; --unit LAYER:U explains a unit of one of the "
                    "layers that `inspect` lists",
                    blob_path(session->blob));
    return fail(error, why->code, "%s", why->message);
}

// The word `all`, behind the last method, stands for those that explain this network.
static bool choose_methods(MapSession *session, Error *error)
{
    const ChoiceList *wanted = &session->settings->maps;
    const Subject    *first  = session->subjects.list;
    const char       *layer  = session->unit >= 0 ? session->layer : NULL;
    const MapMethod  *method;
    bool              all = false;
    Error             why = {0};
    for (int i = 0; i < wanted->count; i++)
        all |= map_method_at(wanted->value[i]) == NULL;
    for (int i = 0; i < wanted->count && !all; i++) {
        method = map_method_at(wanted->value[i]);
        if (!map_method_suits(method, session->blob, layer, first->height, first->width, &why))
            return fail_to_choose(session, &why, error);
        session->methods[session->method_count++] = method;
    }
    for (int i = 0; all && (method = map_method_at(i)); i++)
        if ((!method->needs_patterns || session->settings->patterns) &&
            map_method_suits(method, session->blob, layer, first->height, first->width, &why))
            session->methods[session->method_count++] = method;
    return session->method_count > 0 || fail_to_choose(session, &why, error);
}

static bool is_chosen(const MapSession *session, const char *method)
{
    for (int i = 0; i < session->method_count; i++)
        if (strcmp(session->methods[i]->name, method) == 0)
            return true;
    return false;
}

// An option that no chosen method reads was meant for another one.
static bool check_readers(const MapSession *session, Error *error)
{
    const Settings *s = session->settings;
    for (int i = 0; i < s->maps.count; i++)
        if (!map_method_at(s->maps.value[i])) // all that explain this network, whichever these are
            return true;
    const struct {
        bool        is_given;
        const char *option, *method;
    } readers[] = {{s->steps > 0, "steps", "integrated"},
                   {s->path != NULL, "path", "integrated"},
                   {s->baseline != NULL, "baseline", "integrated"},
                   {s->rules != NULL, "rules", "lrp"},
                   {s->patterns != NULL, "patterns", "pattern"}};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (readers[i].is_given && !is_chosen(session, readers[i].method))
            return fail(error, ERROR_USAGE,
                        "--%s is of --method %s, which is not among those asked for",
                        readers[i].option, readers[i].method);
    return true;
}

static bool choose_mode(MapSession *session, Error *error)
{
    const Settings *settings = session->settings;
    if (!map_options_mode(settings, &session->mode, error))
        return false;
    if (settings->map_sign)
        session->mode.form.sign =
            (MapSign)word_index(MAP_SIGN_NAMES, settings->map_sign, strlen(settings->map_sign));
    if (settings->map_scale)
        session->mode.form.scale =
            (MapScale)word_index(MAP_SCALE_NAMES, settings->map_scale, strlen(settings->map_scale));
    if (settings->path)
        session->mode.path =
            (PathRule)word_index(PATH_NAMES, settings->path, strlen(settings->path));
    if (settings->steps)
        session->mode.steps = (int)settings->steps;
    return true;
}

// "conv3_3:17"
static bool read_unit(MapSession *session, Error *error)
{
    const char *text  = session->settings->explained_unit;
    const char *colon = text ? strrchr(text, ':') : NULL;
    uint64_t    unit  = 0;
    session->unit     = -1;
    if (!text)
        return true;
    if (!colon || colon == text || colon - text >= MAP_LAYER_BYTES ||
        !whole_parse(colon + 1, &unit) || unit >= LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "--unit: '%s' is not LAYER:U", text);
    if (session->settings->explained_class)
        return fail(error, ERROR_USAGE, "--unit and --class: expected one of them");
    snprintf(session->layer, sizeof session->layer, "%.*s", (int)(colon - text), text);
    session->unit = (int64_t)unit;
    return true;
}

static bool read_rules(MapSession *session, Error *error)
{
    const char *path = session->settings->rules;
    Bytes       text = {0};
    session->rules   = *map_method_named("lrp")->relevance;
    bool ok          = !path || (file_read(path, LIMIT_TEXT_FILE, &text, error) &&
                        composite_parse(&session->rules, (const char *)text.data, path, error));
    bytes_close(&text);
    return ok;
}

static bool read_baseline(MapSession *session, Error *error)
{
    const char *text = session->settings->baseline;
    return !text || strcmp(text, "zero") == 0 ||
           subject_read(text, session->blob, &session->baseline, &session->baseline_height,
                        &session->baseline_width, error);
}

static bool check_betas(MapSession *session, Error *error)
{
    const char *layer = session->unit >= 0 ? session->layer : NULL;
    return network_activation_before(session->blob, layer, &session->activation, error) &&
           (!session->settings->betas.count ||
            map_options_need_relu("--beta", session->blob, layer, error));
}

static bool check_output(const MapSession *session, Error *error)
{
    const Settings *settings = session->settings;
    const UsedPath  used[]   = {{"the weight blob", settings->model},
                                {"the patterns", settings->patterns},
                                {"the rules", settings->rules},
                                {"the baseline", settings->baseline}};
    if (!output_folder_check(settings->out, used, 4, error))
        return false;
    for (int i = 0; i < settings->input_count; i++)
        if (!output_folder_check(settings->out, &(UsedPath){"an input", settings->inputs[i]}, 1,
                                 error))
            return false;
    return true;
}

/* ---- identity -------------------------------------------------------------------------------- */

static bool add_file(Sha256 *sha, const char *path, Error *error)
{
    Bytes bytes = {0};
    if (!file_read(path, LIMIT_ARRAY_FILE, &bytes, error))
        return false;
    Sha256 own;
    char   text[65];
    sha256_start(&own);
    sha256_add(&own, bytes.data, bytes.size);
    sha256_text(&own, text);
    sha256_add(sha, text, 64);
    bytes_close(&bytes);
    return true;
}

static bool identify_file(MapSession *session, const char *name, const char *path, Error *error)
{
    Sha256 sha;
    char   digest[65];
    sha256_start(&sha);
    if (path && !add_file(&sha, path, error))
        return false;
    sha256_text(&sha, digest);
    identity_text(&session->run.identity, name, path ? digest : NULL);
    return true;
}

// All that is explained, file after file, with the names of its results and what labels say.
static bool identify_inputs(MapSession *session, Error *error)
{
    const Subjects *subjects = &session->subjects;
    const char *class        = session->settings->explained_class;
    bool   labels            = class && strcmp(class, "label") == 0;
    Sha256 sha;
    char   digest[65];
    sha256_start(&sha);
    for (int64_t i = 0; i < subjects->count; i++) {
        const Subject *subject = &subjects->list[i];
        int64_t        label   = 0;
        if ((subject->index <= 0 && !add_file(&sha, subject->path, error)) ||
            (labels && subject->index < 0 && !subject_label(subject, &label, error)))
            return false;
        sha256_add(&sha, subject->name, strlen(subject->name) + 1);
        sha256_add(&sha, &label, sizeof label);
    }
    sha256_text(&sha, digest);
    identity_text(&session->run.identity, "inputs_sha256", digest);
    return true;
}

static bool identify(MapSession *session, Error *error)
{
    const Settings *settings     = session->settings;
    const MapMode  *mode         = &session->mode;
    Identity       *identity     = &session->run.identity;
    char            methods[512] = "";
    const char     *baseline     = settings->baseline;
    for (int i = 0; i < session->method_count; i++) {
        size_t used = strlen(methods);
        snprintf(methods + used, sizeof methods - used, "%s%s", i ? "," : "",
                 session->methods[i]->name);
    }
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", session->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(session->blob));
    identity_whole(identity, "limit", (uint64_t)settings->limit);
    identity_text(identity, "methods", methods);
    identity_text(identity, "class", settings->explained_class);
    identity_text(identity, "unit", settings->explained_unit);
    identity_numbers(identity, "beta", &settings->betas);
    identity_text(identity, "smooth", settings->smooth);
    identity_text(identity, "path", word_text(PATH_NAMES, (int)mode->path));
    identity_whole(identity, "steps", (uint64_t)mode->steps);
    identity_text(identity, "map_sign", word_text(MAP_SIGN_NAMES, (int)mode->form.sign));
    identity_text(identity, "map_scale", word_text(MAP_SCALE_NAMES, (int)mode->form.scale));
    identity_text(identity, "raw", settings->raw ? "yes" : "no");
    identity_text(identity, "conv", word_text(CONV_NAMES, settings->conv));
    identity_text(identity, "compat", mode->name);
    identity_whole(identity, "seed", settings->seed);
    return identify_inputs(session, error) &&
           identify_file(session, "patterns_sha256", settings->patterns, error) &&
           identify_file(session, "rules_sha256", settings->rules, error) &&
           identify_file(session, "baseline_sha256",
                         baseline && strcmp(baseline, "zero") != 0 ? baseline : NULL, error);
}

bool map_session_open(MapSession *session, Error *error)
{
    const Settings *settings = session->settings;
    return choose_mode(session, error) &&
           map_options_smooth(session->settings, &session->copies, &session->level, error) &&
           read_unit(session, error) && check_output(session, error) &&
           run_folder_claim(&session->run.folder, settings, &map_result, error) &&
           blob_open(settings->model, &session->blob, error) && read_rules(session, error) &&
           (!settings->patterns || blob_open(settings->patterns, &session->patterns, error)) &&
           read_baseline(session, error) &&
           subjects_open(&session->subjects, settings, session->blob, error) &&
           choose_methods(session, error) && check_readers(session, error) &&
           check_betas(session, error) && identify(session, error) &&
           run_resume(&session->run, error);
}
