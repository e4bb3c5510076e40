/* cli/program.c - the way from a command line to an exit code. */
#include "../engine/engine.h"
#include "../base/parallel.h"
#include "../image/image.h"
#include "commands.h"
#include "../format/json.h"
#include "manual.h"
#include "output.h"
#include "signals.h"
#include "version.h"

#include <signal.h>
#include <string.h>

static void print_overview(FILE *stream)
{
    help_titled(stream, "nemesis - ", program_summary, 4);
    fprintf(stream, "\nusage: nemesis VERB [options]\n\n");
    for (int i = 0; verb_at(i); i++) {
        char title[32];
        snprintf(title, sizeof title, "  %-12s  ", verb_at(i)->name);
        help_titled(stream, title, verb_at(i)->summary, 16);
    }
    fprintf(stream, "  %-12s  %s\n", "version", "version, compiler and kernels");
    fprintf(stream, "  %-12s  %s\n", "help", "this text, or the options of a verb");
    fprintf(stream, "\nexample:\n  nemesis help dissect\n");
}

static bool print_help(int count, const char *const *arguments, Error *error)
{
    if (count == 0 || strcmp(arguments[0], "--help") == 0) {
        print_overview(stdout);
        return true;
    }
    if (count > 1)
        return fail(error, ERROR_USAGE, "help: unexpected argument '%s'", arguments[1]);
    const Verb *verb = verb_named(arguments[0]);
    if (!verb)
        return fail(error, ERROR_USAGE, "help: unknown verb '%s' (see nemesis help)", arguments[0]);
    arguments_help(verb, stdout);
    return true;
}

static bool print_version(int count, const char *const *arguments, Error *error)
{
    bool as_json = count == 1 && strcmp(arguments[0], "--json") == 0;
    if (count > as_json)
        return fail(error, ERROR_USAGE, "version: unexpected argument '%s'", arguments[as_json]);
    if (!as_json) {
        printf("nemesis %s\ncompiler  %s\nkernels   %s\nthreads   %d\n", NEMESIS_VERSION,
               __VERSION__, engine_isa(), parallel_threads());
        return true;
    }
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "version", NEMESIS_VERSION);
    json_text(&json, "compiler", __VERSION__);
    json_text(&json, "isa", engine_isa());
    json_whole(&json, "threads", parallel_threads());
    json_close(&json);
    return json_print(&json, error);
}

// For packagers: `make man completion` calls it.
static bool print_completion(int count, const char *const *arguments, Error *error)
{
    int shell = count == 1 ? word_index(SHELL_NAMES, arguments[0], strlen(arguments[0])) : -1;
    if (shell < 0)
        return fail(error, ERROR_USAGE, "completion: needs one of %s", SHELL_NAMES);
    completion_print(shell, stdout);
    return true;
}

static const char *near_verb(const char *name)
{
    for (int i = 0; verb_at(i); i++)
        if (word_slips(name, strlen(name), verb_at(i)->name) >= 0)
            return verb_at(i)->name;
    return NULL;
}

static bool run_verb(int count, const char *const *arguments, Error *error)
{
    Settings    settings;
    const char *name = arguments[1];
    const Verb *verb = verb_named(name);
    if (!verb) {
        const char *meant = near_verb(name);
        return fail(error, ERROR_USAGE, "unknown verb '%s'%s%s (see nemesis help)", name,
                    meant ? ", did you mean " : "", meant ? meant : "");
    }
    if (!arguments_parse(verb, count - 2, arguments + 2, &settings, error)) {
        char usage[HELP_LINE];
        verb_usage(verb, usage);
        fprintf(stderr, "usage: nemesis %s\n", usage);
        return false;
    }
    settings.command       = arguments;
    settings.command_count = count;
    bool ok                = true;
    if (settings.help) {
        arguments_help(verb, stdout);
    } else {
        int64_t wanted = parallel_set_threads(settings.threads);
        if (wanted > LIMIT_THREADS)
            note(&settings, "%lld threads asked for, taking %d, the most there may be",
                 (long long)wanted, LIMIT_THREADS);
        image_limits_set(
            (ImageLimits){.pixels = (size_t)settings.max_pixels, .seconds = LIMIT_DECODE_SECONDS});
        engine_flush_denormals();
        signals_catch();
        note_more(&settings, "kernels %s, %d thread%s, seed %llu", engine_isa(), parallel_threads(),
                  parallel_threads() == 1 ? "" : "s", (unsigned long long)settings.seed);
        ok = verb->run(&settings, error);
    }
    arguments_free(&settings);
    return ok;
}

static bool run_command_line(int count, const char *const *arguments, Error *error)
{
    const char *name = count > 1 ? arguments[1] : NULL;
    if (!name) {
        print_overview(stderr);
        return fail(error, ERROR_USAGE, "no verb given");
    }
    if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
        return print_help(count - 2, arguments + 2, error);
    if (!strcmp(name, "version") || !strcmp(name, "--version") || !strcmp(name, "-V"))
        return print_version(count - 2, arguments + 2, error);
    if (!strcmp(name, "completion"))
        return print_completion(count - 2, arguments + 2, error);
    if (!strcmp(name, "man") && count == 2) {
        manual_print(stdout);
        return true;
    }
    return run_verb(count, arguments, error);
}

int nemesis_exit(bool ok, Error *error)
{
    if (ok)
        return 0;
    if (error->code == ERROR_NONE)
        fail(error, ERROR_INTERNAL, "a step failed without saying why");
    fprintf(stderr, "error: ");
    print_clean(stderr, error->message);
    fprintf(stderr, "\n");
    if (signals_caught() == SIGINT || signals_caught() == SIGTERM)
        return 128 + signals_caught();
    return (int)error->code;
}

int nemesis_run(int count, const char *const *arguments)
{
    Error error = {0};
    bool  ok    = run_command_line(count, arguments, &error);
    bool  told  = output_flush(&error);
    if (ok && !told && output_is_unread())
        return 128 + SIGPIPE;
    ok = told && ok;
    return nemesis_exit(ok, &error);
}
