/* cli/manual.c - the manual page. */
#include "manual.h"
#include "commands.h"
#include "version.h"

static const struct {
    ErrorCode   code;
    const char *meaning;
} exits[] = {
    {ERROR_NONE, "done"},
    {ERROR_CHECK, "a check failed"},
    {ERROR_USAGE, "wrong usage"},
    {ERROR_SKIPPED, "done, some inputs skipped"},
    {ERROR_PIECES, "pieces of a plan are missing"},
    {ERROR_DATA, "bad input data"},
    {ERROR_NOT_FOUND, "input not found or unreadable"},
    {ERROR_INTERNAL, "internal error"},
    {ERROR_MEMORY, "out of memory"},
    {ERROR_CREATE, "cannot create output"},
    {ERROR_IO, "read or write error, disk full"},
    {ERROR_AGAIN, "interrupted after a checkpoint; try again"},
};

// Text as text: no request, no escape, and dashes that can be copied.
static void roff(FILE *stream, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stream);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", stream);
        else if (*text == '-')
            fputs("\\-", stream);
        else
            fputc(*text, stream);
}

static void roff_line(FILE *stream, const char *request, const char *text)
{
    fputs(request, stream);
    roff(stream, text);
    fputc('\n', stream);
}

static void print_options(FILE *stream, const Verb *verb)
{
    const Option *option;
    for (int i = 0; (option = verb_option(verb, i)); i++) {
        char        words[HELP_LINE];
        const char *value = option_shown(option);
        option_words(option, words);
        fprintf(stream, ".TP\n\\fB");
        if (option->letter)
            fprintf(stream, "\\-%c\\fR, \\fB", option->letter);
        fprintf(stream, "\\-\\-");
        roff(stream, option->name);
        fprintf(stream, "\\fR");
        if (value) {
            fprintf(stream, " \\fI");
            roff(stream, value);
            fprintf(stream, "\\fR");
        }
        fputc('\n', stream);
        roff_line(stream, "", words);
    }
}

static void print_verb(FILE *stream, const Verb *verb)
{
    char usage[HELP_LINE];
    verb_usage(verb, usage);
    fprintf(stream, ".SS ");
    roff(stream, verb->name);
    fprintf(stream, " \\- ");
    roff(stream, verb->summary);
    roff_line(stream, "\n.B nemesis ", usage);
    if (*verb->details)
        roff_line(stream, ".PP\n", verb->details);
    print_options(stream, verb);
    roff_line(stream, ".PP\nExample:\n.PP\n.EX\n.in +4n\n", verb->example);
    fprintf(stream, ".in\n.EE\n");
}

typedef struct Entry {
    const char *title, *text;
} Entry;

static void print_entries(FILE *stream, const char *section, const Entry *entries)
{
    fprintf(stream, ".SH %s\n", section);
    for (; entries->title; entries++) {
        roff_line(stream, ".TP\n.B ", entries->title);
        roff_line(stream, "", entries->text);
    }
}

static const Entry files[] = {
    {"run.json", "written last: a folder with it is a finished run. The command, every setting, "
                 "SHA-256 of weights and probing set, threads, times, peak memory"},
    {"units.csv", "describe, dissect: layer, unit, description and score of every unit"},
    {"tally.csv, quantile.npy",
     "Network Dissection: concepts and counts of every unit; its threshold"},
    {"changes.csv", "noise, attack: one row for each unit and setting"},
    {"summary.csv", "noise, attack: shares of units that changed, with 95 % intervals"},
    {"maps.csv, NAME-METHOD.npy, .png", "attribute: a row, an array and pictures of every map"},
    {"conservation.csv", "attribute: where the relevance of every layer went"},
    {"attacked.npy, .png, map_*.npy, .png", "manipulate: the attacked image and its maps"},
    {"measures.csv, smoothing.csv, steps.csv",
     "manipulate: how alike maps are, explained again, step by step"},
    {"robustness.csv, values.npy, maps.npy, photos.npy, attacked.npy",
     "robustness: every measure with its interval; of single images; maps and "
     "photos of the first"},
    {"poisoned/", "noise, attack with --keep-images: the perturbed images as stored"},
    {"unfinished.json, *.checkpoint", "an unfinished run, which --resume goes on with"},
    {"progress.json", "how far an unfinished run is, for `nemesis status`"},
    {NULL, NULL}};

static const Entry environment[] = {
    {"OMP_NUM_THREADS", "number of threads where --threads is 0 or not given"},
    {"ENGINE_ISA", "the best instruction set that kernels may use: portable, avx2 or avx512"},
    {"COLUMNS", "width of a progress bar where standard error is no terminal that knows its own"},
    {NULL, NULL}};

// From photos to pages: the examples are run in this order by who follows the page.
static const Entry examples[] = {
    {"nemesis mini --images 400 -o runs/world", "A generated probing set."},
    {"nemesis dissect -m demo/mini.nw -l conv4_2 -d runs/world -o runs/clean",
     "The concept of every unit of a layer."},
    {"nemesis noise runs/clean --type gaussian --std 0.02,0.05 -o runs/noise",
     "Which labels change under noise?"},
    {"nemesis attack runs/clean -u detectors:8 --eps 8/255 -o runs/attack",
     "Which change under a designed perturbation of at most eight grey levels?"},
    {"nemesis report runs/attack", "The attack as pages for a browser."},
    {NULL, NULL}};

void manual_print(FILE *stream)
{
    fprintf(stream, ".TH NEMESIS 1 \"\" \"nemesis %s\" \"User Commands\"\n.SH NAME\nnemesis \\- ",
            NEMESIS_VERSION);
    roff_line(stream, "", program_summary);
    fprintf(stream,
            ".SH SYNOPSIS\n.B nemesis\n.I VERB\n[options]\n.br\n.B nemesis help\n[\\fIVERB\\fR]\n"
            ".br\n.B nemesis version\n[\\-\\-json]\n.SH VERBS\nResults go to standard "
            "output, everything else to standard error.\n");
    for (int i = 0; verb_at(i); i++)
        print_verb(stream, verb_at(i));
    fprintf(stream, ".SH PROGRESS\nA pass is one photo through the network; a gradient counts as "
                    "three. What a run counts stands in its bar or lines.\n");
    print_entries(stream, "FILES", files);
    print_entries(stream, "ENVIRONMENT", environment);
    fprintf(stream, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        fprintf(stream, ".TP\n.B %d\n%s\n", (int)exits[i].code, exits[i].meaning);
    fprintf(stream, ".TP\n.B 130, 143\ninterrupted by SIGINT or SIGTERM\n");
    fprintf(stream, ".TP\n.B 141\nthe reader of standard output has seen enough\n");
    print_entries(stream, "EXAMPLES", examples);
}
