/* cli/shared_options.c - the options that several verbs have; each verb names those it takes. */
#include "arguments.h"
#include "../attribution/attribution.h"
#include "../nem/method.h"

#include <string.h>

#define AT(field) offsetof(Settings, field)

static bool has_mode(const Method *method, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(method->modes[i].name, name) == 0)
            return true;
    return false;
}

static bool is_method_mode(const char *name)
{
    const Method *method;
    for (int m = 0; (method = method_at(m)); m++)
        if (has_mode(method, method->mode_count, name))
            return true;
    return false;
}

// The modes of all methods and of maps, each name once.
static const char *mode_name_at(int index)
{
    const Method  *method, *earlier;
    const MapMode *mode;
    for (int m = 0; (method = method_at(m)); m++)
        for (int i = 0; i < method->mode_count; i++) {
            const char *name  = method->modes[i].name;
            bool        again = false;
            for (int k = 0; k < m && (earlier = method_at(k)); k++)
                again = again || has_mode(earlier, earlier->mode_count, name);
            if (!again && index-- == 0)
                return name;
        }
    for (int m = 0; (mode = map_mode_at(m)); m++)
        if (!is_method_mode(mode->name) && index-- == 0)
            return mode->name;
    return NULL;
}

const Option shared_options[] = {
    {.name    = "threads",
     .letter  = 't',
     .kind    = ARGUMENT_WHOLE,
     .offset  = AT(threads),
     .value   = "N",
     .initial = "0",
     .help    = "number of threads; 0: as OMP_NUM_THREADS says, else every core this process has",
     .most    = INT32_MAX,
     .holds_anyway = true},
    {.name    = "batch",
     .letter  = 'b',
     .kind    = ARGUMENT_WHOLE,
     .offset  = AT(batch),
     .value   = "N",
     .initial = "0",
     .help = "images per run of the network, no more than 16 but in train; 0: the program's choice",
     .most = 4096},
    {.name    = "seed",
     .letter  = 's',
     .kind    = ARGUMENT_SEED,
     .offset  = AT(seed),
     .value   = "N",
     .initial = "0",
     .help    = "seed of every random draw, 64 bits"},
    {.name    = "limit",
     .kind    = ARGUMENT_WHOLE,
     .offset  = AT(limit),
     .value   = "N",
     .initial = "0",
     .help    = "only the first N images; 0: all, or as many as the clean run had",
     .most    = LIMIT_CSV_ROWS},
    {.name    = "max-pixels",
     .kind    = ARGUMENT_WHOLE,
     .offset  = AT(max_pixels),
     .value   = "N",
     .initial = "67108864",
     .help    = "largest picture that is read or written",
     .least   = 1,
     .most    = 1 << 28},
    {.name   = "compat",
     .kind   = ARGUMENT_NAME,
     .offset = AT(compat),
     .value  = "MODE",
     .word   = mode_name_at,
     .help   = "whose constants and quirks to follow (default: the method's first, or the "
               "baseline's)"},
    {.name   = "quiet",
     .letter = 'q',
     .kind   = ARGUMENT_FLAG,
     .offset = AT(quiet),
     .help   = "no notes, and no progress unless --progress asks for it"},
    {.name   = "verbose",
     .letter = 'v',
     .kind   = ARGUMENT_FLAG,
     .offset = AT(verbose),
     .help   = "more notes on stderr"},
    {.name   = "json",
     .kind   = ARGUMENT_FLAG,
     .offset = AT(json),
     .help   = "one JSON document on stdout"},
    {.name         = "progress",
     .kind         = ARGUMENT_CHOICE,
     .offset       = AT(progress),
     .value        = PROGRESS_NAMES,
     .initial      = "auto",
     .help         = "a bar, a line per ten seconds, or neither",
     .holds_anyway = true},
    {.name   = "overwrite",
     .kind   = ARGUMENT_FLAG,
     .offset = AT(overwrite),
     .help   = "replace a result that is there"},
    {.name   = "resume",
     .kind   = ARGUMENT_FLAG,
     .offset = AT(resume),
     .help = "go on with an unfinished run of the same settings; nothing to do if it is finished"},
    {.name   = "dry-run",
     .kind   = ARGUMENT_FLAG,
     .offset = AT(dry_run),
     .help = "only say what would be done, how long it takes and how much memory and disk, from a "
             "few seconds of it; writes nothing"},
    {.name = "help", .letter = 'h', .kind = ARGUMENT_FLAG, .offset = AT(help), .help = "this text"},
    OPTION_END};
