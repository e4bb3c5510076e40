/* attack/map_presets.c - the published settings of attacks on maps, a row each.
 * Source: Dombrowski et al., NeurIPS 2019, supplement, tables 1 to 5. */
#include "map_attack.h"

#include <string.h>

typedef struct Preset {
    const char *table, *architecture, *method; // NULL: any
    int64_t     steps;
    double      rate, map_factor, output_factor;
    OutputTerm  output_term;
    double      beta_first, beta_last;
} Preset;

/* The first row that fits holds. Relevance is attacked on the ReLU network but for table 5. A
 * method without a row of its own in the table of its kind (deconvnet, gradcam, rollouts, other
 * composites)
 * takes the row without a name, relevance that of lrp. */
static const Preset presets[] = {
    {"table1", NULL, "integrated", 500, 5e-3, 1e11, 1e6, OUTPUT_PROBABILITIES, 10, 100},
    {"table1", NULL, "pattern", 1500, 2e-3, 1e11, 1e6, OUTPUT_PROBABILITIES, 10, 100},
    {"table1", NULL, "lrp", 1500, 2e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0, 0},
    {"table1", NULL, NULL, 1500, 1e-3, 1e11, 1e6, OUTPUT_PROBABILITIES, 10, 100},
    {"table2", "alexnet", "gradient", 4000, 1e-3, 1e11, 10, OUTPUT_LOGITS, 10, 100},
    {"table2", "densenet121", "gradient", 2000, 5e-4, 1e11, 10, OUTPUT_LOGITS, 30, 300},
    {"table2", "resnet18", "gradient", 2000, 1e-3, 1e11, 10, OUTPUT_LOGITS, 10, 100},
    {"table2", NULL, "gradient", 1500, 1e-3, 1e11, 10, OUTPUT_LOGITS, 10, 100},
    {"table3", NULL, "lrp", 1500, 2e-4, 1e7, 1e2, OUTPUT_PROBABILITIES, 0, 0},
    {"table4", NULL, "lrp", 1500, 3e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0, 0},
    {"table4", NULL, "gradient", 1500, 3e-3, 1e11, 1e6, OUTPUT_PROBABILITIES, 10, 100},
    {"table5", NULL, "gradient", 500, 2.5e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0.8, 0.8},
    {"table5", NULL, "gradient-x-input", 500, 2.5e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0.8, 0.8},
    {"table5", NULL, "integrated", 200, 2.5e-3, 1e11, 1e6, OUTPUT_PROBABILITIES, 0.8, 0.8},
    {"table5", NULL, "lrp", 1500, 2e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0.8, 0.8},
    {"table5", NULL, NULL, 500, 5e-4, 1e11, 1e6, OUTPUT_PROBABILITIES, 0.8, 0.8},
};

static bool fits(const char *wanted, const char *found)
{
    return !wanted || strcmp(wanted, found) == 0;
}

bool map_attack_preset(const char *table, const char *architecture, const char *method,
                       MapAttackRule *out)
{
    const char *family = strstr(method, "lrp") ? "lrp" : method;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        const Preset *row = &presets[i];
        if (strcmp(row->table, table) != 0 || !fits(row->architecture, architecture) ||
            !fits(row->method, family))
            continue;
        out->steps         = row->steps;
        out->rate          = row->rate;
        out->map_factor    = row->map_factor;
        out->output_factor = row->output_factor;
        out->output_term   = row->output_term;
        out->beta_first    = row->beta_first;
        out->beta_last     = row->beta_last;
        return true;
    }
    return false;
}
