/* cli/manipulation_rules.c - which maps are attacked, and how: tables, and options that change
 * their rows. */
#include "manipulation.h"
#include "map_options.h"
#include "output.h"

#include <string.h>

// Two numbers, "10:100" or "1e11,1e6".
static bool read_two(const char *text, char between, double *a, double *b)
{
    const char *middle = strchr(text, between);
    char        first[32];
    snprintf(first, sizeof first, "%.*s", middle && middle - text < 31 ? (int)(middle - text) : 0,
             text);
    return number_parse(first, a) && number_parse(middle + 1, b);
}

static bool read_growth(const char *text, MapAttackRule *rule, Error *error)
{
    return (read_two(text, ':', &rule->beta_first, &rule->beta_last) && rule->beta_first > 0 &&
            rule->beta_last > 0 && rule->beta_first <= 1e6 && rule->beta_last <= 1e6) ||
           fail(error, ERROR_USAGE, "--beta-growth: '%s' is not B0:B1 with betas above 0", text);
}

static bool read_factors(const char *text, MapAttackRule *rule, Error *error)
{
    return (read_two(text, ',', &rule->map_factor, &rule->output_factor) && rule->map_factor >= 0 &&
            rule->output_factor >= 0 && rule->map_factor <= 1e15 && rule->output_factor <= 1e15) ||
           fail(error, ERROR_USAGE, "--factors: '%s' is not F1,F2 with numbers of 0 to 1e15", text);
}

static bool change_rule(const Settings *settings, MapAttackRule *rule, Error *error)
{
    if (settings->steps)
        rule->steps = settings->steps;
    if (settings->rate > 0)
        rule->rate = settings->rate;
    if (settings->factors && !read_factors(settings->factors, rule, error))
        return false;
    if (settings->output_term)
        rule->output_term = (OutputTerm)word_index(OUTPUT_TERM_NAMES, settings->output_term,
                                                   strlen(settings->output_term));
    if (settings->betas.count)
        rule->beta_first = rule->beta_last = settings->betas.value[0];
    return !settings->beta_growth || read_growth(settings->beta_growth, rule, error);
}

static bool check_options(const Manipulation *manipulation, Error *error)
{
    const Settings *settings = manipulation->settings;
    if (settings->betas.count > 1 || (settings->betas.count && settings->beta_growth))
        return fail(error, ERROR_USAGE, "--beta and --beta-growth: expected one of them, once");
    if (settings->maps.count > 1 && !settings->pairs)
        return fail(error, ERROR_USAGE, "--method: expected one method, or --pairs for several");
    if (settings->preset && strcmp(settings->preset, "table4") == 0 && !settings->smooth)
        return fail(error, ERROR_USAGE,
                    "--preset table4 attacks SmoothGrad maps: it needs --smooth N:LEVEL");
    return true;
}

/* A smooth network is attacked as it is: without a ReLU as it stands, trained with softplus with
 * its own beta, unless a fixed one is asked for. */
static bool fit_betas(const Manipulation *manipulation, MapAttackRule *rule, Error *error)
{
    const Settings *settings = manipulation->settings;
    real            own      = 0;
    if (!network_activation(manipulation->blob, &own, error))
        return false;
    bool is_asked = settings->preset && rule->beta_first > 0 && rule->beta_first == rule->beta_last;
    if (is_asked && !map_options_need_relu("--preset table5", manipulation->blob, NULL, error))
        return false;
    if (!is_asked && (own > 0 || !manipulation->activation.is_relu))
        rule->beta_first = rule->beta_last = (double)own;
    if (settings->betas.count && settings->betas.value[0] > 0)
        return map_options_need_relu("--beta", manipulation->blob, NULL, error);
    return !settings->beta_growth ||
           map_options_need_relu("--beta-growth", manipulation->blob, NULL, error);
}

static bool add_method(Manipulation *manipulation, const MapMethod *method, Error *error)
{
    const Settings *settings = manipulation->settings;
    MapStudy       *study    = &manipulation->study;
    const char     *table    = settings->preset ? settings->preset : "table1";
    MapAttackRule  *rule     = &study->rules[study->method_count];
    if (method->needs_patterns && !manipulation->patterns)
        return fail(error, ERROR_USAGE, "method %s needs patterns: see --patterns", method->name);
    if (blob_takes_images(manipulation->blob, NULL) &&
        !map_method_suits(method, manipulation->blob, NULL, 0, 0, error))
        return false;
    if (!map_attack_preset(table, blob_architecture(manipulation->blob), method->name, rule))
        return fail(error, ERROR_USAGE, "--preset %s has no row for method %s", table,
                    method->name);
    if (!fit_betas(manipulation, rule, error))
        return false;
    rule->noise                           = (NoiseRule)settings->noise;
    rule->copies                          = study->copies;
    rule->level                           = study->level;
    rule->seed                            = settings->seed;
    study->methods[study->method_count++] = method;
    return change_rule(settings, rule, error);
}

bool manipulation_rules(Manipulation *manipulation, Error *error)
{
    const Settings *settings = manipulation->settings;
    MapStudy       *study    = &manipulation->study;
    if (!check_options(manipulation, error) || !map_options_mode(settings, &study->mode, error) ||
        !map_options_smooth(settings, &study->copies, &study->level, error) ||
        !network_activation_before(manipulation->blob, NULL, &manipulation->activation, error))
        return false;
    // What the loss compares (M4); the mode decides all else.
    study->mode.form = (MapForm){MAP_SIGN_ABS, MAP_SCALE_SUM};
    study->seed      = settings->seed;
    study->conv      = (ConvMethod)settings->conv;
    for (int i = 0; i < settings->maps.count; i++)
        if (!add_method(manipulation, map_method_at(settings->maps.value[i]), error))
            return false;
    study->arm_count = settings->stores.count ? settings->stores.count : 1;
    study->arms[0]   = STORE_FLOAT;
    for (int i = 0; i < settings->stores.count; i++)
        study->arms[i] = (StoreArm)settings->stores.value[i];
    return true;
}

void manipulation_warn(const Manipulation *manipulation)
{
    const MapStudy *study = &manipulation->study;
    real            own   = 0; // beta of a network that was trained with softplus
    network_activation(manipulation->blob, &own, NULL);
    for (int i = 0; i < study->method_count; i++)
        if (map_method_is_flat(study->methods[i]))
            note(manipulation->settings,
                 "warning: a map of method %s depends on the image through the choices of "
                 "max-pools alone, with softplus as with ReLU, so the map term has no gradient and "
                 "the attack will not move it; use --method guided",
                 study->methods[i]->name);
        else if (manipulation->activation.is_relu && !(own > 0) &&
                 study->rules[i].beta_first <= 0 && study->methods[i]->is_flat_on_relu)
            note(manipulation->settings,
                 "warning: maps of method %s are constant in pieces on a ReLU network, so the map "
                 "term has no gradient and the attack will not move; use --beta-growth 10:100",
                 study->methods[i]->name);
}
