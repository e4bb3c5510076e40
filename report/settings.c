/* report/settings.c - the settings of a run: which is the strongest, what a unit did under one, and
 * how readers of the page call them. */
#include "page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const ChangeRow *strongest_setting(const SettingList *settings)
{
    const ChangeRow *best = NULL;
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *row = settings->rows[i];
        if (!best || row->strength > best->strength ||
            (row->strength == best->strength && row->store > best->store))
            best = row;
    }
    return best;
}

const ChangeRow *change_of(const Report *report, const ChangeRow *setting, int64_t unit)
{
    const Changes *changes = report->job->changes;
    for (int64_t i = 0; changes && setting && i < changes->count; i++) {
        const ChangeRow *row = &changes->rows[i];
        if (row->unit == unit && row->store == setting->store && row->strength == setting->strength)
            return row;
    }
    return NULL;
}

bool setting_is_noise(const ChangeRow *row)
{
    return strcmp(row->perturbation, "pgd") != 0 && strcmp(row->perturbation, "fgsm") != 0;
}

void method_text(const ChangeRow *row, char out[32])
{
    if (setting_is_noise(row))
        snprintf(out, 32, "%s noise", row->perturbation);
    else
        snprintf(out, 32, "%s", strcmp(row->perturbation, "pgd") == 0 ? "PGD" : "FGSM");
}

const char *unit_group(const ChangeRow *row)
{
    return setting_is_noise(row) ? "all units" : "attacked units";
}

void strength_text(const ChangeRow *row, char out[32])
{
    double levels = row->strength * 255;
    if (row->strength == 0)
        snprintf(out, 32, "control");
    else if (!setting_is_noise(row) && fabs(levels - round(levels)) < 1e-5)
        snprintf(out, 32, "%.0f/255", levels);
    else
        snprintf(out, 32, "%.4g", row->strength);
}
