/* cli/units.c - see units.h. */
#include "units.h"

#include <string.h>

// A run of digits as a unit number; moves *text behind it.
static bool unit_number(const char **text, int64_t *out)
{
    const char *start = *text;
    int64_t     value = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        value = value * 10 + (**text - '0');
        if (value > LIMIT_UNITS)
            return false;
    }
    *out = value;
    return *text > start;
}

// One item `A` or `A-B` with the comma behind it; false if the text does not follow the grammar.
static bool unit_range(const char **text, int64_t *first, int64_t *last)
{
    if (!unit_number(text, first))
        return false;
    *last = *first;
    if (**text == '-') {
        (*text)++;
        if (!unit_number(text, last))
            return false;
    }
    if (**text == ',')
        return *++*text != 0;
    return **text == 0;
}

// The N of `detectors:N`; 0 for plain `detectors`, -1 for anything else.
static int64_t detector_sample(const char *text)
{
    int64_t count = 0;
    if (strncmp(text, "detectors", 9) != 0)
        return -1;
    text += 9;
    if (!*text)
        return 0;
    return *text++ == ':' && unit_number(&text, &count) && !*text && count > 0 ? count : -1;
}

// The highest unit of a list; marks every unit of it, which may then not come twice, if marks are
// given.
static bool read_list(const char *text, bool *marks, int64_t *highest, Error *error)
{
    const char *rest = text;
    *highest         = -1;
    while (*rest) {
        int64_t first, last;
        if (!unit_range(&rest, &first, &last) || first > last)
            return fail(error, ERROR_USAGE,
                        "units '%s' are not all, detectors, detectors:N or a list like 0-63,190",
                        text);
        for (int64_t unit = first; marks && unit <= last; unit++) {
            if (marks[unit])
                return fail(error, ERROR_USAGE, "units '%s' name unit %lld twice", text,
                            (long long)unit);
            marks[unit] = true;
        }
        *highest = last > *highest ? last : *highest;
    }
    return *highest >= 0 || fail(error, ERROR_USAGE, "units are empty");
}

bool units_check(const char *text, Error *error)
{
    int64_t highest;
    if (strcmp(text, "all") == 0 || detector_sample(text) >= 0)
        return true;
    if (!read_list(text, NULL, &highest, error))
        return false;
    bool *marks = memory_new((size_t)highest + 1, sizeof *marks, error);
    bool  ok    = marks && read_list(text, marks, &highest, error);
    memory_free(marks);
    return ok;
}

// Keeps `wanted` of the marked units, drawn without replacement: selection sampling.
static void keep_sample(bool *marks, int64_t unit_count, int64_t wanted, uint64_t seed)
{
    Random  random = random_stream(seed, "units");
    int64_t left   = 0;
    for (int64_t unit = 0; unit < unit_count; unit++)
        left += marks[unit];
    for (int64_t unit = 0; unit < unit_count; unit++) {
        if (!marks[unit])
            continue;
        marks[unit] = (int64_t)random_below(&random, (uint32_t)left) < wanted;
        wanted -= marks[unit];
        left--;
    }
}

bool units_select(const char *text, const bool *detector, int64_t unit_count, uint64_t seed,
                  int64_t **units, int64_t *count, Error *error)
{
    int64_t sample = detector_sample(text), highest = -1, kept = 0;
    bool    is_list = strcmp(text, "all") != 0 && sample < 0, ok = false;
    if (is_list && !read_list(text, NULL, &highest, error))
        return false;
    if (highest >= unit_count)
        return fail(error, ERROR_USAGE, "unit %lld does not exist, the layer has units 0..%lld",
                    (long long)highest, (long long)unit_count - 1);
    int64_t *list  = memory_new((size_t)unit_count, sizeof *list, error);
    bool    *marks = memory_new((size_t)unit_count, sizeof *marks, error);
    if (!list || !marks || (is_list && !read_list(text, marks, &highest, error)))
        goto done;
    for (int64_t unit = 0; unit < unit_count && !is_list; unit++)
        marks[unit] = sample < 0 || detector[unit];
    if (sample > 0)
        keep_sample(marks, unit_count, sample, seed);
    for (int64_t unit = 0; unit < unit_count; unit++)
        if (marks[unit])
            list[kept++] = unit;
    if (kept == 0) {
        fail(error, ERROR_USAGE, "units '%s': the baseline has no detector", text);
        goto done;
    }
    *units = list;
    *count = kept;
    list   = NULL;
    ok     = true;
done:
    memory_free(list);
    memory_free(marks);
    return ok;
}
