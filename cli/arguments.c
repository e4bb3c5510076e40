/* cli/arguments.c - see arguments.h. */
#include "arguments.h"
#include "../attack/attack.h"
#include "../training/training.h"
#include "commands.h"
#include "method_options.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CONV_AUTO == 0 && CONV_DIRECT == 1 && CONV_WINOGRAD == 2, CONV_NAMES);

const char *option_choices(const Option *option)
{
    static char text[256];
    const char *word;
    size_t      used = 0;
    if (option->kind == ARGUMENT_CHOICE || option->kind == ARGUMENT_CHOICES ||
        (option->kind == ARGUMENT_NAME && !option->word))
        return option->value;
    if (option->kind != ARGUMENT_NAME)
        return NULL;
    for (int i = 0; (word = option->word(i)) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "|" : "", word);
    return text;
}

const char *option_shown(const Option *option)
{
    const char *choices = option_choices(option);
    return option->shown ? option->shown : choices ? choices : option->value;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool decimal_parse(const char *text, size_t length, double *out)
{
    char copy[64], *end;
    if (length == 0 || length >= sizeof copy || strspn(text, "0123456789.eE+-") < length)
        return false; // strtod would also take blanks, hex, "inf" and "nan"
    memcpy(copy, text, length);
    copy[length] = 0;
    double value = strtod(copy, &end);
    if (*end || !isfinite(value))
        return false;
    *out = value;
    return true;
}

static bool number_parse_part(const char *text, size_t length, double *out)
{
    const char *slash = memchr(text, '/', length);
    double      above, below = 1;
    size_t      first = slash ? (size_t)(slash - text) : length;
    if (!decimal_parse(text, first, &above) ||
        (slash && !decimal_parse(slash + 1, length - first - 1, &below)))
        return false;
    if (below == 0 || !isfinite(above / below))
        return false;
    *out = above / below;
    return true;
}

bool number_parse(const char *text, double *out)
{
    return number_parse_part(text, strlen(text), out);
}

bool whole_parse(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool bad_value(const Option *option, const char *text, Error *error)
{
    bool is_whole = option->kind == ARGUMENT_WHOLE || option->kind == ARGUMENT_COUNT ||
                    option->kind == ARGUMENT_PAIR;
    bool has_range =
        is_whole || option->kind == ARGUMENT_NUMBER || option->kind == ARGUMENT_NUMBERS;
    if (has_range)
        return fail(error, ERROR_USAGE, "--%s: '%s' is not %s in %.15g..%.15g", option->name, text,
                    is_whole ? "a whole number" : "a number", option->least, option->most);
    if (option->kind == ARGUMENT_SEED)
        return fail(error, ERROR_USAGE, "--%s: '%s' is not a whole number in 0..%llu", option->name,
                    text, (unsigned long long)UINT64_MAX);
    return fail(error, ERROR_USAGE, "--%s: '%s' is not %s%s", option->name, text,
                option->kind == ARGUMENT_CHOICES ? "a list of " : "one of ",
                option_choices(option));
}

static bool value_list(const Option *option, const char *text, Settings *out, Error *error)
{
    NumberList *numbers = (NumberList *)((char *)out + option->offset);
    ChoiceList *choices = (ChoiceList *)((char *)out + option->offset);
    int         count   = 0;
    for (const char *part = text;; count++) {
        size_t length = strcspn(part, ",");
        if (count == ARGUMENT_LIST)
            return fail(error, ERROR_USAGE, "--%s: '%s' has more than %d values", option->name,
                        text, ARGUMENT_LIST);
        if (option->kind == ARGUMENT_NUMBERS) {
            double *value = &numbers->value[count];
            if (!number_parse_part(part, length, value) || *value < option->least ||
                *value > option->most)
                return bad_value(option, text, error);
            for (int i = 0; i < count; i++)
                if (numbers->value[i] == *value)
                    return fail(error, ERROR_USAGE, "--%s: '%s' has %g twice", option->name, text,
                                *value);
        } else {
            int index = word_index(option->value, part, length);
            if (index < 0)
                return bad_value(option, text, error);
            for (int i = 0; i < count; i++)
                if (choices->value[i] == index)
                    return fail(error, ERROR_USAGE, "--%s: '%s' has %.*s twice", option->name, text,
                                (int)length, part);
            choices->value[count] = index;
        }
        if (!part[length])
            break;
        part += length + 1;
    }
    *(option->kind == ARGUMENT_NUMBERS ? &numbers->count : &choices->count) = count + 1;
    return true;
}

static bool whole_in_range(const Option *option, const char *text, int64_t *out)
{
    uint64_t whole;
    if (!whole_parse(text, &whole) || (double)whole < option->least || (double)whole > option->most)
        return false;
    *out = (int64_t)whole;
    return true;
}

static bool value_set(const Option *option, const char *text, Settings *out, Error *error)
{
    void   *place = (char *)out + option->offset;
    int64_t whole;
    switch (option->kind) {
    case ARGUMENT_FLAG:
        *(bool *)place = true;
        return true;
    case ARGUMENT_UNITS:
        if (!units_check(text, error))
            return false;
        *(const char **)place = text;
        return true;
    case ARGUMENT_TEXT:
        if (!*text)
            return fail(error, ERROR_USAGE, "--%s: is empty, expected %s", option->name,
                        option->value);
        *(const char **)place = text;
        return true;
    case ARGUMENT_PAIR: // the text is filled by the caller, who has the second argument
        if (!whole_in_range(option, text, &((NumberAndText *)place)->number))
            return bad_value(option, text, error);
        return true;
    case ARGUMENT_WHOLE:
        if (!whole_in_range(option, text, place))
            return bad_value(option, text, error);
        return true;
    case ARGUMENT_COUNT:
        *(const char **)place = text;
        return whole_in_range(option, text, &whole) || bad_value(option, text, error);
    case ARGUMENT_SEED:
        return whole_parse(text, place) || bad_value(option, text, error);
    case ARGUMENT_NUMBER:
        if (!number_parse(text, place) || *(double *)place < option->least ||
            *(double *)place > option->most)
            return bad_value(option, text, error);
        return true;
    case ARGUMENT_NAME:
        *(const char **)place = text;
        return word_index(option_choices(option), text, strlen(text)) >= 0 ||
               bad_value(option, text, error);
    case ARGUMENT_CHOICE:
        *(int *)place = word_index(option->value, text, strlen(text));
        return *(int *)place >= 0 || bad_value(option, text, error);
    case ARGUMENT_NUMBERS:
    case ARGUMENT_CHOICES:
        break;
    }
    return value_list(option, text, out, error);
}

/* ---- the parser ------------------------------------------------------------------------------ */

enum { OPTION_LIMIT = 64 };

static bool lists(const Verb *verb, const Option *shared)
{
    return verb->shared && word_index(verb->shared, shared->name, strlen(shared->name)) >= 0;
}

// The index-th option that a verb takes: its own first, then those of methods, then shared ones;
// NULL past the last.
static const Option *option_at(const Verb *verb, int index, bool only_listed)
{
    for (const Option *own = verb->options; own && own->name; own++)
        if (index-- == 0)
            return own;
    for (int i = 0; method_option(verb->of_methods, i); i++)
        if (index-- == 0)
            return method_option(verb->of_methods, i);
    for (const Option *shared = shared_options; shared->name; shared++)
        if ((lists(verb, shared) || (shared->holds_anyway && !only_listed)) && index-- == 0)
            return shared;
    return NULL;
}

const Option *verb_option(const Verb *verb, int index)
{
    return option_at(verb, index, true);
}

// By long name (length bytes) or by letter; -1 if there is none.
static int option_index(const Verb *verb, const char *name, size_t length, char letter)
{
    const Option *option;
    for (int i = 0; (option = option_at(verb, i, false)); i++)
        if (name ? strlen(option->name) == length && memcmp(option->name, name, length) == 0
                 : option->letter == letter)
            return i;
    return -1;
}

static const char *near_option(const Verb *verb, const char *name, size_t length)
{
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++)
        if (word_slips(name, length, option->name) >= 0)
            return option->name;
    return NULL;
}

// The verbs that take an option which this one does not, with commas; returns how many.
static int verbs_with(const char *name, size_t length, char letter, char out[256])
{
    int    count = 0;
    size_t used  = 0;
    out[0]       = 0;
    for (int i = 0; verb_at(i) && used < 256; i++)
        if (option_index(verb_at(i), name, length, letter) >= 0)
            used += (size_t)snprintf(out + used, 256 - used, "%s%s", count++ ? ", " : "",
                                     verb_at(i)->name);
    return count;
}

// `text` is no option of the verb: perhaps of others, perhaps a slip.
static bool refuse(const Verb *verb, const char *text, const char *name, size_t length,
                   Error *error)
{
    char others[256];
    int  shown = name ? (int)length + 2 : 2, count = verbs_with(name, length, text[1], others);
    const char *meant = name && !count ? near_option(verb, name, length) : NULL;
    if (count)
        return fail(error, ERROR_USAGE, "%s: does not take %.*s; %s %s (see nemesis help %s)",
                    verb->name, shown, text, others, count == 1 ? "does" : "do", verb->name);
    return fail(error, ERROR_USAGE, "%s: unknown option '%.*s'%s%s (see nemesis help %s)",
                verb->name, shown, text, meant ? ", did you mean --" : "", meant ? meant : "",
                verb->name);
}

typedef struct Cursor {
    const char *const *arguments;
    int                count, next;
} Cursor;

static const char *following_value(Cursor *cursor)
{
    if (cursor->next >= cursor->count || strncmp(cursor->arguments[cursor->next], "--", 2) == 0)
        return NULL;
    return cursor->arguments[cursor->next++];
}

static size_t name_length(const char *text)
{
    const char *equals = strchr(text, '=');
    return (equals ? (size_t)(equals - text) : strlen(text)) - 2;
}

// An option of the verb that stands in the command line of this one.
static bool is_of_wrapped(const Verb *verb, const char *text, const Settings *settings)
{
    const char *name = text[1] == '-' ? text + 2 : NULL;
    return verb->wraps && settings->input_count &&
           option_index(verb, name, name ? name_length(text) : 1, text[1]) < 0;
}

// Reads the option in `text` and its values from the cursor; *index tells which it was.
static bool option_read(const Verb *verb, const char *text, Cursor *cursor, int *index,
                        Settings *out, Error *error)
{
    bool        is_long  = text[1] == '-';
    const char *equals   = is_long ? strchr(text, '=') : NULL;
    size_t      length   = is_long ? name_length(text) : 1;
    const char *attached = is_long ? (equals ? equals + 1 : NULL) : (text[2] ? text + 2 : NULL);
    const char *name     = is_long ? text + 2 : NULL;
    *index               = option_index(verb, name, length, text[1]);
    if (*index < 0)
        return refuse(verb, text, name, length, error);
    const Option *option = option_at(verb, *index, false);
    if (option->kind == ARGUMENT_FLAG) {
        if (attached)
            return fail(error, ERROR_USAGE, "--%s: takes no value, found '%s'", option->name,
                        attached);
        return value_set(option, "", out, error);
    }
    const char *value = attached ? attached : following_value(cursor);
    if (!value)
        return fail(error, ERROR_USAGE, "--%s: needs a value: %s", option->name,
                    option_shown(option));
    if (!value_set(option, value, out, error))
        return false;
    if (option->kind != ARGUMENT_PAIR)
        return true;
    NumberAndText *pair = (NumberAndText *)((char *)out + option->offset);
    pair->text          = following_value(cursor);
    return pair->text ||
           fail(error, ERROR_USAGE, "--%s: needs two values: %s", option->name, option->value);
}

static void add_missing(char missing[512], size_t *used, const char *dashes, const char *name,
                        const char *value)
{
    if (*used < 512)
        *used += (size_t)snprintf(missing + *used, 512 - *used, "%s%s%s%s%s", *used ? ", " : "",
                                  dashes, name, *value ? " " : "", value);
}

// The last input and the option that spells it: one value, in the option's place.
static bool settle_spelling(const Verb *verb, Settings *out, Error *error)
{
    const char *name = verb->spelled;
    if (!name)
        return true;
    const Option *option = option_at(verb, option_index(verb, name, strlen(name), 0), false);
    const char  **value  = (const char **)((char *)out + option->offset);
    if (out->input_count < verb->input_most)
        return true;
    const char *input = out->inputs[out->input_count - 1];
    if (*value && strcmp(*value, input) != 0)
        return fail(error, ERROR_USAGE, "%s: '%s' and --%s '%s' are two, expected one", verb->name,
                    input, name, *value);
    *value = input;
    out->input_count--;
    return true;
}

static bool has_spelled(const Verb *verb, const bool seen[OPTION_LIMIT])
{
    return verb->spelled && seen[option_index(verb, verb->spelled, strlen(verb->spelled), 0)];
}

static bool complete(const Verb *verb, const bool seen[OPTION_LIMIT], Settings *out, Error *error)
{
    const Option *option;
    char          missing[512] = "";
    size_t        used         = 0;
    if (out->input_count + has_spelled(verb, seen) < verb->input_least)
        add_missing(missing, &used, "", verb->inputs, "");
    for (option = shared_options; option->name; option++)
        if (option->initial && option_index(verb, option->name, strlen(option->name), 0) < 0 &&
            !value_set(option, option->initial, out, error))
            return false;
    for (int i = 0; (option = option_at(verb, i, false)); i++) {
        if (!seen[i] && option->initial && !option->of_method &&
            !value_set(option, option->initial, out, error))
            return false;
        if (!seen[i] && option->required)
            add_missing(missing, &used, "--", option->name, option_shown(option));
    }
    if (out->help)
        return true;
    if (*missing)
        return fail(error, ERROR_USAGE, "%s: needs %s", verb->name, missing);
    return settle_spelling(verb, out, error) && (!verb->check || verb->check(out, error));
}

bool arguments_parse(const Verb *verb, int count, const char *const *arguments, Settings *out,
                     Error *error)
{
    Settings     settings           = {.fail_over = -1};
    bool         seen[OPTION_LIMIT] = {false}, only_inputs = false;
    Cursor       cursor = {arguments, count, 0};
    const char **inputs = memory_new((size_t)count, sizeof *inputs, error);
    if (!inputs)
        return false;
    while (cursor.next < count) {
        const char *text  = arguments[cursor.next++];
        int         index = 0;
        if (!only_inputs && strcmp(text, "--") == 0) {
            only_inputs = true;
        } else if (only_inputs || text[0] != '-' || !text[1] ||
                   is_of_wrapped(verb, text, &settings)) {
            if (settings.input_count == verb->input_most) {
                fail(error, ERROR_USAGE, "%s: unexpected argument '%s'", verb->name, text);
                goto done;
            }
            inputs[settings.input_count++] = text;
        } else {
            if (!option_read(verb, text, &cursor, &index, &settings, error))
                goto done;
            if (seen[index]) {
                fail(error, ERROR_USAGE, "--%s: given twice", option_at(verb, index, false)->name);
                goto done;
            }
            seen[index] = true;
        }
    }
    settings.inputs = inputs;
    if (!complete(verb, seen, &settings, error))
        goto done;
    *out = settings;
    return true;
done:
    memory_free(inputs);
    return false;
}

void arguments_free(Settings *settings)
{
    memory_free((void *)(uintptr_t)settings->inputs);
    *settings = (Settings){0};
}

int64_t batch_of(const Settings *settings, int64_t otherwise)
{
    int64_t wanted = settings->batch ? settings->batch : otherwise;
    return wanted < LARGEST_BATCH ? wanted : LARGEST_BATCH;
}
