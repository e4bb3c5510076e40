/* cli/arguments.h - reads the command line. Every verb has one table of options, from which parser,
 * help, manual page and completion are made.
 *
 * An option writes its value into Settings at `offset`; the type there follows from its kind. On
 * top of its own a verb takes those of shared_options that it names. Forms: `--name value`,
 * `--name=value`, `-n value`, `-nvalue`; `--` ends the options. Numbers are read in the C locale.
 * Errors: ERROR_USAGE with the offending text, for unknown or repeated options, for those that
 * other verbs take, missing or bad values, missing or extra inputs.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "../attack/attack.h"
#include "../base/base.h"
#include "../base/words.h"

#include <stdio.h>

enum { ARGUMENT_LIST = 32 };        // longest list of values of one option
enum { ARGUMENTS_OF_METHODS = 16 }; // as METHOD_OPTIONS of nem/method.h

typedef struct NumberList {
    double value[ARGUMENT_LIST];
    int    count;
} NumberList;

typedef struct ChoiceList {
    int value[ARGUMENT_LIST];
    int count;
} ChoiceList;

typedef struct NumberAndText {
    int64_t     number;
    const char *text; // NULL: the option was not given
} NumberAndText;

typedef enum ArgumentKind {
    ARGUMENT_FLAG,    // bool
    ARGUMENT_TEXT,    // const char *; NULL when not given
    ARGUMENT_NAME,    // const char *: one of the words of `word`, or else of `value`; NULL when not
                      // given
    ARGUMENT_UNITS,   // const char *; checked by units_check
    ARGUMENT_WHOLE,   // int64_t in least..most
    ARGUMENT_COUNT,   // const char *: the text of such a number; NULL when not given
    ARGUMENT_SEED,    // uint64_t
    ARGUMENT_NUMBER,  // double in least..most; decimal or a fraction such as 4/255
    ARGUMENT_NUMBERS, // NumberList of such numbers, separated by commas
    ARGUMENT_CHOICE,  // int: index into `value`, words separated by |
    ARGUMENT_CHOICES, // ChoiceList of such words, separated by commas
    ARGUMENT_PAIR     // NumberAndText: two arguments, a whole number and a text
} ArgumentKind;

/* Words of choices whose enums stand in no library, or in one without a list of its own. */
typedef enum ProgressMode {
    PROGRESS_AUTO,
    PROGRESS_BAR,
    PROGRESS_PLAIN,
    PROGRESS_NONE
} ProgressMode;
#define PROGRESS_NAMES "auto|bar|plain|none"

typedef enum Readout { READOUT_AUTO, READOUT_PRE, READOUT_POST } Readout;
#define READOUT_NAMES "auto|pre|post"

#define CONV_NAMES "auto|direct|winograd" // ConvMethod; checked in arguments.c

/* Everything a command line can say. Lists are empty and texts NULL where nothing was said. */
typedef struct Settings {
    // shared
    int64_t     threads, batch, limit; // 0: all cores, the verb's choice, all images
    int64_t     max_pixels;            // of one picture
    uint64_t    seed;
    const char *compat; // a mode of some method; NULL: the method's, or the baseline's
    bool        quiet, verbose, json, overwrite, resume, dry_run;
    int         progress; // ProgressMode

    // inputs and outputs
    const char *model, *layer, *data, *baseline, *out;
    const char *categories; // comma-separated; NULL: all of the probing set

    // networks
    int           readout, conv; // Readout, ConvMethod
    int           store;         // StoreArm of the photos of a clean run
    const char   *activation;    // relu or softplus:BETA
    NumberAndText gradient;      // class and file

    // neuron explanation methods
    const char *method;                           // its name
    const char *of_methods[ARGUMENTS_OF_METHODS]; // by method_option (method_options.h)

    // corruption
    const char *units, *target;
    ChoiceList  stores;                  // StoreArm; empty: the mode's
    NumberList  strengths;               // std or eps, in pixel units 0..1
    int         noise, pgd, loss, masks; // NoiseType, PgdVariant, AttackLoss, AttackMasks
    int64_t     steps;                   // of an attack, or of a path
    double      fraction;
    bool        keep_images;

    // training
    const char *arch, *test, *schedule, *log, *captions, *encoder;
    int64_t     made_units, epochs, shift, random_crop, attack_steps, attack_inputs;
    int    optimiser, objective, perturb; // OptimiserKind, row of OBJECTIVE_NAMES, Perturbation
    int    detach, second_order;          // 1: no; 1: difference
    double rate, decay, clip, lambda_l2, lambda_cos, lambda_hessian, perturb_eps, attack_eps;
    bool   flip, nesterov, drop_last;

    // maps
    ChoiceList  maps; // of MAP_METHOD_NAMES and "all"
    NumberList  betas;
    const char *towards; // an image; NULL: none
    const char *explained_class, *explained_unit, *smooth, *patterns, *rules;
    const char *map_sign, *map_scale, *path; // NULL: the mode's
    bool        raw;
    const char *preset, *factors, *output_term, *beta_growth; // NULL: the table's
    int64_t     pairs;                                        // 0: one input and its target

    // robustness
    ChoiceList  measures; // RobustMeasure; empty: all
    int64_t     draws, aam_steps;
    double      aam_eps;
    int         aam_rule, aam_target;
    const char *similarities, *given_maps; // NULL: maps are made here

    // accuracy
    const char *noises, *poisoned; // TYPE:STD[,...]; a run; NULL: none

    // descriptions
    const char *bert, *bert_baseline, *method_names;
    bool        text, idf;

    // the rest
    int64_t     top, quality, resize, crop, images;
    int         sampling;
    int         filter;    // a ResizeFilter
    const char *names;     // file of class names
    const char *at;        // row,column of a map
    const char *film;      // a unit
    double      fail_over; // percent; negative: not asked for

    // many machines
    int64_t         shards;      // 0: not given
    const char     *plan_status; // a plan; NULL: not asked for
    struct Sharing *sharing;     // of a verb that a plan runs (sharing.h); NULL: the whole work

    const char *const *inputs; // positional arguments
    int                input_count;
    const char *const *command; // the whole command line, for run.json
    int                command_count;
    bool               help;
} Settings;

typedef struct Option {
    const char  *name;   // without dashes
    char         letter; // 0: none
    ArgumentKind kind;
    size_t       offset; // of the value in Settings
    const char  *value;  // shown in help; for choices also the grammar, words separated by |
    const char  *shown;  // in help, in place of many words; NULL: the words, or `value`
    const char *(*word)(int index); // of ARGUMENT_NAME: NULL past the last, or no function
    const char *initial; // parsed when the option is absent; NULL: nothing, or `required`
    const char *help;
    double      least, most; // numbers only
    bool        required;
    bool        holds_anyway; // shared: where it makes no difference it is taken and not listed
    bool        of_method;    // `initial` is not parsed: which methods have it is known later
} Option;

/* Which of the options that explanation methods list a verb takes. */
typedef enum MethodOptionsTaken {
    METHOD_OPTIONS_NONE,
    METHOD_OPTIONS_ALL,
    METHOD_OPTIONS_FILES // of a verb that opens a finished run: where a file is now, if it moved
} MethodOptionsTaken;

/* What `nemesis VERB` takes, tells and does. */
typedef struct Verb {
    const char        *name;
    const char        *inputs; // positional arguments as help shows them; "" for none
    int                input_least, input_most;
    const char        *summary; // one line, no full stop
    const char        *details; // paragraphs under the usage line; "" for none
    const char        *example; // a command that runs
    const Option      *options; // ends with a NULL name
    const char        *shared;  // names of the shared options it takes, separated by |
    MethodOptionsTaken of_methods;
    bool               is_cut; // a plan can cut its work into pieces
    bool               wraps;  // from its first input on, what is no option of it is an input
    /* An own option that is another spelling of the last input: its value is there in the end,
     * however it was given. NULL: none. */
    const char *spelled;
    /* What the tables cannot say of a whole command line; NULL: nothing. */
    bool (*check)(const Settings *settings, Error *error);
    /* Does the work; results to stdout. False with the cause in *error. */
    bool (*run)(const Settings *settings, Error *error);
} Verb;

/* Options of several verbs, the same in each; ends with a NULL name. */
extern const Option shared_options[];
#define SHARED_BY_ALL "quiet|verbose|json|help"

/* The index-th option that a verb takes and lists: its own first, then those of methods, then
 * shared ones; NULL past the last. */
const Option *verb_option(const Verb *verb, int index);

/* The words an option takes, separated by |, or NULL if it is no choice. Static storage. */
const char *option_choices(const Option *option);
/* What help shows for its value; NULL for a flag. */
const char *option_shown(const Option *option);

/* Reads `count` arguments (after the verb) into *out, which keeps pointing into them. --help skips
 * what is missing. Release with arguments_free. */
bool arguments_parse(const Verb *verb, int count, const char *const *arguments, Settings *out,
                     Error *error);
void arguments_free(Settings *settings); // accepts a zeroed object

/* Images of a run of the network, of verbs that promise the same bytes for any --batch: what it
 * says, or `otherwise`, but never more than LARGEST_BATCH. A dense layer of more images packs its
 * weights and adds in another order (engine/gemm.c). */
enum { DEFAULT_BATCH = 8, LARGEST_BATCH = 16 };
int64_t batch_of(const Settings *settings, int64_t otherwise);

/* The help of one verb, ending with its example. */
void arguments_help(const Verb *verb, FILE *stream);

/* A decimal number or a fraction a/b, all of `text`, finite. */
bool number_parse(const char *text, double *out);

/* A whole number 0..UINT64_MAX, all of `text`. */
bool whole_parse(const char *text, uint64_t *out);

/* Options that several verbs have. */
#define OPTION_MODEL                                                                               \
    {                                                                                              \
        .name = "model", .letter = 'm', .kind = ARGUMENT_TEXT,                                     \
        .offset = offsetof(Settings, model), .value = "FILE.nw", .help = "weight blob",            \
        .required = true                                                                           \
    }
#define OPTION_LAYER                                                                               \
    {                                                                                              \
        .name = "layer", .letter = 'l', .kind = ARGUMENT_TEXT,                                     \
        .offset = offsetof(Settings, layer), .value = "LAYER",                                     \
        .help = "layer by the network's own name: conv3_3, layer3", .required = true               \
    }
#define OPTION_DATA(what, text)                                                                    \
    {                                                                                              \
        .name = "data", .letter = 'd', .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, data),  \
        .value = (what), .help = (text), .required = true                                          \
    }
/* Of verbs that open a finished run again. */
#define OPTIONS_OF_RUN                                                                             \
    {.name   = "model",                                                                            \
     .letter = 'm',                                                                                \
     .kind   = ARGUMENT_TEXT,                                                                      \
     .offset = offsetof(Settings, model),                                                          \
     .value  = "FILE.nw",                                                                          \
     .help   = "where the run's weight blob is now, if it moved"},                                   \
    {                                                                                              \
        .name = "data", .letter = 'd', .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, data),  \
        .value = "PROBE", .help = "where the run's probing set is now, if it moved"                \
    }
#define OPTION_BASELINE                                                                            \
    {                                                                                              \
        .name = "baseline", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, baseline),         \
        .value = "RUN", .help = "the same as RUN: the finished clean run to compare with"          \
    }
#define OPTION_OUT(what, text)                                                                     \
    {                                                                                              \
        .name = "out", .letter = 'o', .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, out),    \
        .value = (what), .help = (text), .required = true                                          \
    }
#define OPTION_READOUT(text)                                                                       \
    {                                                                                              \
        .name = "readout", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, readout),         \
        .value = READOUT_NAMES, .initial = "auto", .help = (text)                                  \
    }
#define OPTION_CONV                                                                                \
    {                                                                                              \
        .name = "conv", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, conv),               \
        .value = CONV_NAMES, .initial = "auto", .help = "how convolutions are computed"            \
    }
// `unless`: the arm where none is named.
#define OPTION_STORES(unless)                                                                      \
    {                                                                                              \
        .name = "store", .kind = ARGUMENT_CHOICES, .offset = offsetof(Settings, stores),           \
        .value = STORE_NAMES,                                                                      \
        .help  = "how perturbed images are kept before they are measured; a list gives one row "   \
                 "each (default: " unless ")"                                                      \
    }
/* Of verbs whose results are as exact as they come. */
#define OPTION_CONV_EXACT                                                                          \
    {                                                                                              \
        .name = "conv", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, conv),               \
        .value = CONV_NAMES, .initial = "direct", .help = "how convolutions are computed"          \
    }
#define OPTION_PATTERNS                                                                            \
    {                                                                                              \
        .name = "patterns", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, patterns),         \
        .value = "FILE.nw", .help = "patterns of method pattern, as `nemesis patterns` makes them" \
    }
#define OPTION_KEEP_IMAGES                                                                         \
    {                                                                                              \
        .name = "keep-images", .kind = ARGUMENT_FLAG, .offset = offsetof(Settings, keep_images),   \
        .help = "keep the perturbed images as stored, in poisoned/"                                \
    }
#define OPTION_END                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#endif
