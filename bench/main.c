/* bench/main.c - how fast, beside how right: see bench.h. What the words of a command line mean. */
#include "bench.h"

#include "../base/parallel.h"
#include "../base/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: bench [options]            the rows people come for; two minutes on idle cores\n"
    "       bench --all [options]      all rows of all verbs\n"
    "       bench --against torch|onnxruntime|openblas [options]   in turns with another\n"
    "       bench gemm|conv|model|decode|dissect|attack|train|attribute|manipulate|\n"
    "             milan|embed|bertscore [options]\n"
    "  --arch NAME                    network of conv, model, dissect, attack, attribute,\n"
    "                                 manipulate (vgg16);\n"
    "                                 of train (all three)\n"
    "  --upto LAYER                   its last layer (conv5_3 for model, conv3_3 for dissect,\n"
    "                                 attack; of other networks the logits; layer3 for those)\n"
    "  --pass forward|input-gradient  of conv and model\n"
    "  --objective " OBJECTIVE_NAMES "|all\n"
    "                                 of train (ce)\n"
    "  -b, --batch N                  images of a run (8; 128 for train), texts of\n"
    "                                 bertscore (1024)\n"
    "  -t, --threads N                0: OMP_NUM_THREADS or the cores that are ours\n"
    "  --isa NAME                     portable, avx2, avx512 or neon; the best there is\n"
    "  --conv auto|direct|winograd    how 3x3 stride-1 convolutions are computed\n"
    "  --runs N                       measured runs of a row (7; 5 for train, 3 for attack)\n"
    "  -d, --data FOLDER              probing set of dissect, in Broden's layout; else made up\n"
    "  --limit N                      images of the probing set (48)\n"
    "  --only TEXT                    only rows whose name holds TEXT: of the first form and\n"
    "                                 of --against\n"
    "  --list                         names of the rows of the first form; measures nothing\n"
    "  --json                         one object a line\n"
    "GFLOP/s count the multiplications of the direct method, so Winograd's convolutions may\n"
    "pass 100 % of the peak, which is measured in the same run. A row says so where others\n"
    "had the cores for a tenth of the time or more.\n";

static const struct {
    const char *name;
    Verb       *run;
    int         runs, batch;
} verbs[] = {
    {"gemm", bench_gemm, 7, 8},
    {"conv", bench_conv, 7, 8},
    {"model", bench_model, 7, 8},
    {"decode", bench_decode, 7, 8},
    {"dissect", bench_dissect, 7, 8},
    {"attack", bench_attack, 3, 8},
    {"train", bench_train, 5, 128},
    {"attribute", bench_attribute, 5, 1},
    {"manipulate", bench_manipulate, 5, 1},
    {"milan", bench_milan, 5, 1},
    {"embed", bench_embed, 3, 8},
    {"bertscore", bench_bertscore, 1, 1024},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static bool number_of(const char *flag, const char *text, int64_t least, int64_t most, int64_t *out,
                      Error *error)
{
    char     *end   = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        return fail(error, ERROR_USAGE, "%s: '%s' is not a whole number from %lld to %lld", flag,
                    text, (long long)least, (long long)most);
    *out = value;
    return true;
}

// Index of `text` among the words of a list that ends with NULL.
static bool choice_of(const char *flag, const char *text, const char *const *words, int *out,
                      Error *error)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    return fail(error, ERROR_USAGE, "%s: '%s' is not one of its values", flag, text);
}

static bool is_flag(const char *argument, const char *name, const char *letter)
{
    return strcmp(argument, name) == 0 || (letter && strcmp(argument, letter) == 0);
}

/* The level is read when kernels are first asked for, which is after this. */
static bool use_isa(const char *isa, Error *error)
{
    if (setenv("ENGINE_ISA", isa, 1) != 0 || strcmp(engine_isa(), isa) != 0)
        return fail(error, ERROR_USAGE,
                    "--isa: this machine or program has no '%s', the best is '%s'", isa,
                    engine_isa());
    return true;
}

static bool take_value(Options *options, const char *flag, const char *value, Error *error)
{
    static const char *const passes[]  = {"forward", "input-gradient", NULL};
    static const char *const peers[]   = {"torch", "onnxruntime", "openblas", NULL};
    static const char *const methods[] = {"auto", "direct", "winograd", NULL};
    int64_t                  number    = 0;
    int                      choice    = 0;
    bool                     ok        = true;
    if (is_flag(flag, "--arch", NULL)) {
        options->arch = value;
    } else if (is_flag(flag, "--upto", NULL)) {
        options->upto = value;
    } else if (is_flag(flag, "--data", "-d")) {
        options->probe = value;
    } else if (is_flag(flag, "--pass", NULL)) {
        ok                      = choice_of(flag, value, passes, &choice, error);
        options->input_gradient = choice == 1;
    } else if (is_flag(flag, "--objective", NULL)) {
        options->objective = word_index(OBJECTIVE_NAMES "|all", value, strlen(value));
        ok                 = options->objective >= 0 ||
             fail(error, ERROR_USAGE, "%s: '%s' is not one of its values", flag, value);
    } else if (is_flag(flag, "--conv", NULL)) {
        ok            = choice_of(flag, value, methods, &choice, error);
        options->conv = (ConvMethod)choice;
    } else if (is_flag(flag, "--batch", "-b")) {
        ok = number_of(flag, value, 1, 4096, &options->batch, error);
    } else if (is_flag(flag, "--limit", NULL)) {
        ok = number_of(flag, value, 1, LIMIT_CSV_ROWS, &options->limit, error);
    } else if (is_flag(flag, "--runs", NULL)) {
        ok            = number_of(flag, value, 1, 100000, &number, error);
        options->runs = (int)number;
    } else if (is_flag(flag, "--threads", "-t")) {
        ok = number_of(flag, value, 0, LIMIT_THREADS, &number, error);
        parallel_set_threads((int)number);
    } else if (is_flag(flag, "--only", NULL)) {
        options->only = value;
    } else if (is_flag(flag, "--against", NULL)) {
        ok               = choice_of(flag, value, peers, &choice, error);
        options->against = peers[choice];
    } else if (is_flag(flag, "--isa", NULL)) {
        ok = use_isa(value, error);
    } else {
        ok = fail(error, ERROR_USAGE, "unknown option '%s'", flag);
    }
    return ok;
}

/* Flags without a value. */
static bool take_switch(Options *options, const char *flag)
{
    bool *target = is_flag(flag, "--json", NULL)   ? &options->json
                   : is_flag(flag, "--all", NULL)  ? &options->all
                   : is_flag(flag, "--list", NULL) ? &options->list
                                                   : NULL;
    if (target)
        *target = true;
    return target != NULL;
}

/* verb: an index, or -1. */
static bool parse(Options *options, int *verb, int count, char **arguments, Error *error)
{
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (argument[0] != '-') {
            int found = VERBS - 1;
            while (found >= 0 && strcmp(verbs[found].name, argument) != 0)
                found--;
            if (found < 0 || *verb >= 0)
                return fail(error, ERROR_USAGE, "'%s' is not a verb", argument);
            *verb = found;
        } else if (take_switch(options, argument)) {
            continue;
        } else if (i + 1 == count) {
            return fail(error, ERROR_USAGE, "option '%s' needs a value, or is unknown", argument);
        } else if (!take_value(options, argument, arguments[++i], error)) {
            return false;
        }
    }
    bool is_table = *verb < 0 && !options->all && !options->against;
    if ((*verb >= 0) + options->all + (options->against != NULL) > 1)
        return fail(error, ERROR_USAGE, "expected a verb, --all or --against, found more than one");
    if (options->list && !is_table)
        return fail(error, ERROR_USAGE, "--list is for the rows without a verb");
    if (options->only && !is_table && !options->against)
        return fail(error, ERROR_USAGE, "--only is for the rows without a verb and --against");
    return true;
}

static bool run(Options *options, int verb, Error *error)
{
    if (verb < 0)
        return (options->against ? bench_against
                : options->all   ? bench_all
                                 : bench_table)(options, error);
    if (!options->runs)
        options->runs = verbs[verb].runs;
    if (!options->batch)
        options->batch = verbs[verb].batch;
    if (!options->arch && verbs[verb].run != bench_train)
        options->arch = "vgg16";
    return verbs[verb].run(options, error);
}

int main(int count, char **arguments)
{
    Options options = {.limit = 48, .unit = -1};
    Error   error   = {0};
    int     verb    = -1;
    if (count > 1 &&
        (is_flag(arguments[1], "--help", "-h") || is_flag(arguments[1], "help", NULL))) {
        fputs(usage, stdout);
        return 0;
    }
    engine_flush_denormals();
    if (parse(&options, &verb, count, arguments, &error))
        run(&options, verb, &error);
    progress(NULL);
    if (error.code != ERROR_NONE)
        fprintf(stderr, "error: %s\n", error.message);
    return (int)error.code;
}
