/* cli/method_options.c - rows of methods as options of verbs. */
#include "method_options.h"

#include <stddef.h>
#include <string.h>

_Static_assert((int)ARGUMENTS_OF_METHODS == METHOD_OPTIONS, "room for every option");

enum { MOST_COUNTED = 1000000 };

static bool is_taken(MethodOptionsTaken taken, const MethodOption *option)
{
    return taken == METHOD_OPTIONS_ALL ||
           (taken == METHOD_OPTIONS_FILES && option->kind == METHOD_FILE);
}

const MethodOption *method_option_row(int index)
{
    const MethodOption *seen[METHOD_OPTIONS];
    const Method       *method;
    int                 count = 0;
    for (int m = 0; (method = method_at(m)); m++)
        for (int i = 0; i < method->option_count && count < METHOD_OPTIONS; i++) {
            bool again = false;
            for (int k = 0; k < count; k++)
                again = again || strcmp(seen[k]->name, method->options[i].name) == 0;
            if (again)
                continue;
            if (count == index)
                return &method->options[i];
            seen[count++] = &method->options[i];
        }
    return NULL;
}

static Option option_of_row(const MethodOption *row, int place)
{
    static const ArgumentKind kinds[] = {[METHOD_FILE]   = ARGUMENT_TEXT,
                                         [METHOD_FOLDER] = ARGUMENT_TEXT,
                                         [METHOD_CHOICE] = ARGUMENT_NAME,
                                         [METHOD_COUNT]  = ARGUMENT_COUNT};
    return (Option){.name   = row->name,
                    .kind   = kinds[row->kind],
                    .offset = offsetof(Settings, of_methods) + (size_t)place * sizeof(const char *),
                    .value  = row->value,
                    .initial   = row->initial,
                    .help      = row->help,
                    .least     = 1,
                    .most      = MOST_COUNTED,
                    .of_method = true};
}

const Option *method_option(MethodOptionsTaken taken, int index)
{
    static Option       made[METHOD_OPTIONS]; // the same each time
    const MethodOption *row;
    for (int place = 0; taken != METHOD_OPTIONS_NONE && (row = method_option_row(place)); place++)
        if (is_taken(taken, row) && index-- == 0) {
            made[place] = option_of_row(row, place);
            return &made[place];
        }
    return NULL;
}
