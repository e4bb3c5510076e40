/* attribution/composite.c - a composite from a file, see rules.h. */
#include "../base/words.h"
#include "rules.h"

#include <stdio.h>
#include <string.h>

#define PLACE_NAMES "first|conv|dense|sum|mean"

// Sets the place of this number (of PLACE_NAMES) to the rule of this name.
static bool set_rule(Composite *composite, int place, const char *rule)
{
    RelevanceRule *layers[] = {&composite->first, &composite->conv, &composite->dense};
    SumRule       *sums[]   = {&composite->sum, &composite->mean};
    bool           is_layer = place < 3;
    int number = word_index(is_layer ? RELEVANCE_RULE_NAMES : SUM_RULE_NAMES, rule, strlen(rule));
    if (number < 0 ||
        (is_layer && place > 0 && (number == RULE_NONE || number == RULE_BOX))) // of pixels alone
        return false;
    if (is_layer)
        *layers[place] = (RelevanceRule)number;
    else
        *sums[place - 3] = (SumRule)number;
    return true;
}

bool composite_parse(Composite *out, const char *text, const char *name, Error *error)
{
    Composite composite = *out;
    for (int line = 1; *text; line++) {
        char   copy[128], place[32] = "", rule[32] = "", more[2] = "";
        size_t length = strcspn(text, "\n"), kept = strcspn(text, "#\n");
        snprintf(copy, sizeof copy, "%.*s", (int)(kept < 127 ? kept : 127), text);
        int words = sscanf(copy, "%31s %31s %1s", place, rule, more);
        int index = word_index(PLACE_NAMES, place, strlen(place));
        if (words > 0 && (words != 2 || index < 0 || !set_rule(&composite, index, rule)))
            return fail(error, ERROR_DATA,
                        "%s: line %d is '%.40s', expected one of " PLACE_NAMES
                        " and one of " RELEVANCE_RULE_NAMES " (sums and means: " SUM_RULE_NAMES ")",
                        name, line, copy);
        text += length + (text[length] == '\n');
    }
    *out = composite;
    return true;
}
