/* bench/main.c - how fast, beside how right: see bench.h. Without a verb it measures the default set. */
#include "bench.h"

#include "../base/parallel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: bench [gemm|conv|model|decode|dissect|attack] [options]; without a verb: the default set\n"
    "  --arch NAME                    network of conv, model, dissect, attack (vgg16)\n"
    "  --upto LAYER                   its last layer (conv5_3 for model, conv3_3 for dissect, attack;\n"
    "                                 of other networks the logits; layer3 for dissect, attack)\n"
    "  --pass forward|input-gradient  of conv and model\n"
    "  -b, --batch N                  images of a run (8)\n"
    "  -t, --threads N                0: OMP_NUM_THREADS or the cores that are ours\n"
    "  --isa NAME                     portable, avx2, avx512 or neon; the best there is\n"
    "  --conv auto|direct|winograd    how 3x3 stride-1 convolutions are computed\n"
    "  --runs N                       measured runs of a row (7)\n"
    "  -d, --data FOLDER              probing set of dissect, in Broden's layout; else a generated one\n"
    "  --limit N                      images of the probing set (48)\n"
    "  --json                         one object a line\n";

static const struct {
    const char *name;
    Verb       *run;
} verbs[] = {
    {"gemm", bench_gemm},     {"conv", bench_conv},       {"model", bench_model},
    {"decode", bench_decode}, {"dissect", bench_dissect}, {"attack", bench_attack},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static bool number_of(const char *flag, const char *text, int64_t least, int64_t most, int64_t *out,
                      Error *error)
{
    char     *end   = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        return fail(error, ERROR_USAGE, "%s: '%s' is not a whole number from %lld to %lld", flag, text,
                    (long long)least, (long long)most);
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
        return fail(error, ERROR_USAGE, "--isa: this machine or program has no '%s', the best is '%s'",
                    isa, engine_isa());
    return true;
}

static bool take_value(Options *options, const char *flag, const char *value, Error *error)
{
    static const char *const passes[]  = {"forward", "input-gradient", NULL};
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
    } else if (is_flag(flag, "--isa", NULL)) {
        ok = use_isa(value, error);
    } else {
        ok = fail(error, ERROR_USAGE, "unknown option '%s'", flag);
    }
    return ok;
}

static bool parse(Options *options, Verb **verb, int count, char **arguments, Error *error)
{
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (argument[0] != '-') {
            Verb *found = NULL;
            for (int v = 0; v < VERBS; v++)
                found = strcmp(verbs[v].name, argument) == 0 ? verbs[v].run : found;
            if (!found || *verb)
                return fail(error, ERROR_USAGE, "'%s' is not a verb", argument);
            *verb = found;
        } else if (is_flag(argument, "--json", NULL)) {
            options->json = true;
        } else if (i + 1 == count) {
            return fail(error, ERROR_USAGE, "option '%s' needs a value, or is unknown", argument);
        } else if (!take_value(options, argument, arguments[++i], error)) {
            return false;
        }
    }
    return true;
}

/* What `make bench` prints: the figures by which versions are compared. */
static bool default_set(const Options *options, Error *error)
{
    static const struct {
        const char *arch, *upto;
        int64_t     batch;
        bool        input_gradient;
    } models[] = {
        {"vgg16", "conv5_3", 8, false}, {"vgg16", "conv5_3", 8, true}, {"vgg16", "conv5_3", 1, false},
        {"resnet50", NULL, 8, false},   {"resnet50", NULL, 8, true},
    };
    bool ok = bench_gemm(options, error) && bench_conv(options, error);
    for (size_t i = 0; ok && i < sizeof models / sizeof *models; i++) {
        Options one        = *options;
        one.arch           = models[i].arch;
        one.upto           = models[i].upto;
        one.batch          = models[i].batch;
        one.input_gradient = models[i].input_gradient;
        ok                 = bench_model(&one, error);
    }
    return ok && bench_decode(options, error) && bench_dissect(options, error) &&
           bench_attack(options, error);
}

int main(int count, char **arguments)
{
    Options options = {.arch = "vgg16", .batch = 8, .runs = 7, .limit = 48};
    Error   error   = {0};
    Verb   *verb    = NULL;
    if (count > 1 && (is_flag(arguments[1], "--help", "-h") || is_flag(arguments[1], "help", NULL))) {
        fputs(usage, stdout);
        return 0;
    }
    engine_flush_denormals();
    if (parse(&options, &verb, count, arguments, &error))
        (verb ? verb : default_set)(&options, &error);
    if (error.code != ERROR_NONE)
        fprintf(stderr, "error: %s\n", error.message);
    return (int)error.code;
}
