/* tests/fuzz/fuzz_arguments.c - a verb and arguments, one a line; what is taken is inside its
 * range. */
#include "../../attack/unit_attack.h"
#include "../../cli/commands.h"
#include "../../cli/units.h"
#include "fuzz.h"

#include <math.h>
#include <string.h>

enum { ARGUMENTS = 64, UNITS = 12 };

static void check_units(const char *text)
{
    static const bool detectors[UNITS] = {1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1};
    static const bool none[UNITS];
    int64_t          *units = NULL, count = 0;
    if (!text || !units_select(text, detectors, UNITS, 7, &units, &count, NULL))
        return;
    FUZZ_CHECK(count > 0 && count <= UNITS && units[0] >= 0 && units[count - 1] < UNITS);
    for (int64_t i = 1; i < count; i++)
        FUZZ_CHECK(units[i - 1] < units[i]);
    memory_free(units);
    bool needs_detectors = text[0] == 'd';
    FUZZ_CHECK(units_select(text, none, UNITS, 7, &units, &count, NULL) != needs_detectors);
    if (!needs_detectors)
        memory_free(units);
}

static void check_settings(const Settings *settings)
{
    FUZZ_CHECK(settings->threads >= 0 && settings->threads <= INT32_MAX);
    FUZZ_CHECK(settings->batch >= 0 && settings->batch <= LIMIT_BATCH);
    FUZZ_CHECK(settings->limit >= 0 && settings->limit <= LIMIT_CSV_ROWS);
    FUZZ_CHECK(settings->stores.count >= 0 && settings->stores.count <= 3);
    FUZZ_CHECK(settings->strengths.count >= 0 && settings->strengths.count <= ARGUMENT_LIST);
    for (int i = 0; i < settings->strengths.count; i++)
        FUZZ_CHECK(settings->strengths.value[i] >= 0 && isfinite(settings->strengths.value[i]));
    FUZZ_CHECK(settings->steps >= 0 && isfinite(settings->rate) && isfinite(settings->decay));
    FUZZ_CHECK(isfinite(settings->fraction) && isfinite(settings->fail_over));
    FUZZ_CHECK(settings->quality >= 0 && settings->quality <= 100);
    FUZZ_CHECK(settings->input_count >= 0 && settings->input_count <= ARGUMENTS);
    FUZZ_CHECK(word_text(LOSS_NAMES, settings->loss)[0]);
    check_units(settings->units);
}

void fuzz_arguments(const uint8_t *data, size_t size)
{
    const char *arguments[ARGUMENTS];
    int         count = 0;
    Settings    settings;
    char       *text = memory_new(size + 1, 1, NULL);
    if (size)
        memcpy(text, data, size);
    for (char *line = text; count < ARGUMENTS && line; count++) {
        arguments[count] = line;
        line             = strchr(line, '\n');
        if (line)
            *line++ = 0;
    }
    const Verb *verb = verb_named(arguments[0]);
    if (verb && arguments_parse(verb, count - 1, arguments + 1, &settings, NULL)) {
        check_settings(&settings);
        arguments_free(&settings);
    }
    memory_free(text);
}
