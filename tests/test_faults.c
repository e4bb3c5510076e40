/* tests/test_faults.c - whatever allocation or file operation fails, a verb ends with the right
 * exit code and one sentence, leaks nothing, and no output is torn.
 *
 * Every verb runs in this process on a probing set of a few images. FAULTS=all tries every failure
 * point, else about FAULTS of them for each verb and kind of fault (default 3), spread evenly, and
 * the last ones. */
#include "../cli/commands.h"
#include "../format/json.h"
#include "../base/parallel.h"
#include "../training/training.h"
#include "../base/snapshot.h"
#include "drawn_roberta.h"
#include "faults.h"
#include "play.h"
#include "small_inputs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Case {
    const char *verb;
    const char *line; // %s: the output
    const char *out;  // name of the output below the test's folder, "" for none
    int         code; // of an undisturbed run; -1: 0 or 1
    const char *from; // what the output is before each run, "" for nothing or the last output
} Case;

enum { MOST_CASES = 48 };

static char lines[MOST_CASES][LINE];
static Case cases[MOST_CASES];
static int  case_count;

static void add_case(const char *verb, const char *out, int code, const char *line)
{
    REQUIRE(case_count < MOST_CASES);
    snprintf(lines[case_count], sizeof lines[0], "%s %s -t 1 -q", verb, line);
    cases[case_count] = (Case){verb, lines[case_count], out, code, ""};
    case_count++;
}

static const char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));
static const char *format(const char *text, ...)
{
    static char slots[4][LINE];
    static int  next;
    char       *slot = slots[next++ % 4];
    va_list     arguments;
    va_start(arguments, text);
    vsnprintf(slot, LINE, text, arguments);
    va_end(arguments);
    return slot;
}

// Leaves a run that was killed in its middle.
static void die_late(void *self)
{
    static const FaultPlan plan = {.kind = FAULT_DIES_BEFORE, .at = 70, .changes_only = true};
    (void)self;
    faults_plan(&plan);
}

static bool interrupted(const char *line)
{
    return play_result(play_start(die_late, NULL, line))->code == 128 + SIGKILL;
}

// MILAN: a clean run, an attack on it, its page and one unit told.
static bool add_captions(void)
{
    const char *described = in_folder("captions");
    const char *attack    = "-u 0 --steps 2 --eps 0.1 --store float";
    add_case("describe", "described", 0,
             format("--method milan --captioner %s -m %s -l conv22 -d %s -o %%s --overwrite",
                    play_captioner(), play_blob, play_probe));
    if (play("describe --method milan --captioner %s -m %s -l conv22 -d %s -o %s -t 1 -q",
             play_captioner(), play_blob, play_probe, described)
            ->code ||
        play("attack --baseline %s %s -o %s -t 1 -q", described, attack,
             in_folder("captions-attack"))
            ->code)
        return false;
    add_case("attack", "recaptioned", 0,
             format("--baseline %s %s -o %%s --overwrite", described, attack));
    add_case("report", "captions-report", 0,
             format("%s -o %%s --overwrite", in_folder("captions-attack")));
    add_case("explain", "", 0, format("unit 0 --baseline %s", described));
    return true;
}

// CLIP-Dissect: a clean run with and without embeddings of another, noise, an attack, a page.
static bool add_words(void)
{
    const char *words = play_words(), *named = in_folder("words");
    const char *line = format("%s -m %s -l conv22 -d %s", words, play_blob, play_probe);
    if (play("describe %s -o %s -t 1 -q", line, named)->code)
        return false;
    add_case("describe", "named", 0,
             format("%s --cache %s -o %%s --overwrite", line, in_folder("cache")));
    add_case(
        "noise", "noisy-words", 0,
        format("--baseline %s --type gaussian --std 0.2 --store float -o %%s --overwrite", named));
    add_case(
        "attack", "moved-words", 0,
        format("--baseline %s -u 0 --steps 2 --eps 0.1 --store float -o %%s --overwrite", named));
    add_case("report", "words-report", 0, format("%s -o %%s --overwrite", named));
    return true;
}

// A piece of a plan, and a run put together.
static bool add_pieces(const char *clean)
{
    const char *plan = in_folder("cut"), *done = in_folder("cut-done");
    if (play("plan attack %s -u 0,1 --steps 2 --eps 0.1 --store float --shards 2 -t 1 -q -o %s",
             clean, plan)
            ->code ||
        !play_copy_tree(plan, done) || play("shard %s 0 -t 1 -q", done)->code ||
        play("shard %s 1 -t 1 -q", done)->code)
        return false;
    add_case("shard", "cut-again", 0, "%s 1");
    cases[case_count - 1].from = "cut";
    add_case("merge", "merged", 0, format("%s -o %%s --overwrite", done));
    add_case("plan", "", 0, format("--status %s", done));
    return true;
}

static bool make_cases(void)
{
    const char *clean = in_folder("clean"), *photo, *classes;
    char        names[LIMIT_PATH], transformer[LIMIT_PATH];
    case_count = 0;
    checkpoint_interval_set(0);
    if (!play_inputs(6) ||
        play("dissect -m %s -l conv22 -d %s -o %s -t 1 -q", play_blob, play_probe, clean)->code)
        return false;
    photo   = play_photo(0);
    classes = play_classes(3);
    if (!classes)
        return false;
    add_case("dissect", "dissect", 0,
             format("-m %s -l conv22 -d %s -o %%s --overwrite", play_blob, play_probe));
    add_case("noise", "noise", 0,
             format("--baseline %s --type gaussian --std 0.2 --store jpeg75 --keep-images -o %%s "
                    "--overwrite",
                    clean));
    add_case(
        "attack", "attack", 0,
        format("--baseline %s -u 0,1 --steps 2 --eps 0.1 --store png8,float --keep-images -o %%s "
               "--overwrite",
               clean));
    if (!interrupted(format("attack --baseline %s -u 0,1 --steps 2 --eps 0.1 --store float "
                            "-t 1 -q -b 2 -o %s --resume",
                            clean, in_folder("begun"))))
        return false;
    add_case("attack", "resumed", 0,
             format("--baseline %s -u 0,1 --steps 2 --eps 0.1 --store float -o %%s --resume -b 2",
                    clean));
    cases[case_count - 1].from = "begun";
    add_case("mini", "mini", 0, "-o %s --images 2 --overwrite");
    add_case("train", "trained.nw", 0, "-d mini:4:1 --epochs 1 -b 2 -o %s --overwrite");
    add_case("explain", "", 0, format("unit 0 --baseline %s", clean));
    snprintf(names, sizeof names, "%s", in_folder("names.txt"));
    if (!file_publish(names, "a\nb\n2\n3\n4\n5\n6\n7\n8\n9\n", 20, NULL))
        return false;
    add_case("classify", "", 0, format("-m %s %s --names %s", play_blob, photo, names));
    if (play("attack %s -u 0 --steps 1 --eps 0.1 --store png8,float --keep-images -t 1 -q -o %s",
             clean, in_folder("kept"))
            ->code)
        return false;
    add_case("accuracy", "accuracy", 0,
             format("-m %s -d %s --names %s --noise gaussian:0.1 --store jpeg75,float --poisoned "
                    "%s -b 2 -o %%s --overwrite",
                    play_blob, classes, names, in_folder("kept")));
    add_case("activations", "maps.npy", 0, format("-m %s -l conv22 %s -o %%s", play_blob, photo));
    add_case("attribute", "maps", 0,
             format("-m %s %s --method gradient,integrated,lrp --steps 2 --smooth 2:0.1 --raw "
                    "-o %%s --overwrite",
                    play_blob, photo));
    TrainingSet two = {.classes = 2};
    snprintf(transformer, sizeof transformer, "%s", in_folder("vit.nw"));
    if (!training_begin(transformer, "vit", "relu", &two, 16, 1, NULL))
        return false;
    add_case("attribute", "tokens", 0,
             format("-m %s %s --method rollout,gradient-rollout,attnlrp -o %%s --overwrite",
                    transformer, photo));
    add_case("patterns", "patterns.nw", 0,
             format("-m %s -d %s --limit 2 -o %%s --overwrite", play_blob, play_probe));
    add_case("manipulate", "moved", 0,
             format("-m %s --pairs 2 -d %s --method gradient,lrp --steps 2 --store jpeg75,float "
                    "--smooth 2:0.1 -o %%s --overwrite",
                    play_blob, play_probe));
    add_case("robustness", "robust", 0,
             format("-m %s -d %s --method gradient --draws 1 --eps 4/255 --aam-steps 2 "
                    "--similarities cosine,topk:5 -o %%s --overwrite",
                    play_blob, classes));
    if (play("manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 2 -t 1 -q -o %s",
             play_blob, play_probe, in_folder("pairs"))
            ->code ||
        play("attribute -m %s %s --method gradient,lrp -t 1 -q -o %s", play_blob, photo,
             in_folder("explained"))
            ->code)
        return false;
    add_case("report", "moved-report", 0, format("%s -o %%s --overwrite", in_folder("pairs")));
    add_case("report", "maps-report", 0, format("%s -o %%s --overwrite", in_folder("explained")));
    if (play(
            "robustness -m %s -d %s --method gradient --measures rps,insertion --draws 1 --eps 0.1 "
            "-o %s -t 1 -q",
            play_blob, classes, in_folder("measured"))
            ->code)
        return false;
    add_case("report", "robust-pages", 0,
             format("%s %s -o %%s --overwrite", in_folder("measured"), in_folder("measured")));
    add_case("report", "report", 0,
             format("%s %s %s %s -o %%s --overwrite", clean, in_folder("pairs"),
                    in_folder("measured"), in_folder("measured")));
    add_case("compare", "pairs.csv", 0,
             format("%s %s -o %%s", in_folder("measured"), in_folder("measured")));
    DrawnRoberta encoder = drawn_roberta_small();
    snprintf(names, sizeof names, "%s", in_folder("bert.nw"));
    if (!drawn_roberta_save(&encoder, names, NULL) ||
        play("agree %s %s --names A,B -t 1 -q -o %s", clean, clean, in_folder("agreed"))->code)
        return false;
    add_case("agree", "agree", 0,
             format("%s %s --names A,B --bert %s --idf -o %%s --overwrite", clean, clean, names));
    add_case("compare", "texts.csv", 0,
             format("--text %s %s --bert %s -o %%s", clean, clean, names));
    add_case("report", "agree-pages", 0, format("%s -o %%s --overwrite", in_folder("agreed")));
    add_case("noise", "similar", 0,
             format("--baseline %s --type gaussian --std 2 --store float --bert %s -o %%s "
                    "--overwrite",
                    clean, names));
    add_case("curvature", "bent", 0,
             format("-m %s %s --steps 1 --beta 5,2 -o %%s --overwrite", play_blob, photo));
    add_case("image", "picture.png", 0, format("%s -o %%s", photo));
    add_case("compare", "compare.csv", 0, format("%s %s -o %%s", clean, clean));
    add_case("verify", "", -1, format("-d %s", play_probe));
    add_case("inspect", "", 0, format("%s", play_blob));
    return add_pieces(clean) && add_captions() && add_words();
}

/* ---- one run --------------------------------------------------------------------------------- */

// What is there before a run; fresh: not what the last one left.
static void set_output(const Case *c, bool fresh)
{
    if (c->out[0] && (fresh || c->from[0]))
        play_remove(in_folder("%s", c->out));
    if (c->from[0])
        play_copy_tree(in_folder("%s", c->from), in_folder("%s", c->out));
}

static const Outcome *run_case(const Case *c)
{
    return play(c->line, in_folder("%s", c->out));
}

// The point to try after the n-th of `count`.
static int64_t point_after(int64_t n, int64_t count)
{
    enum { END = 12 }; // where results appear: every point of it, unless very few are asked for
    const char *text   = getenv("FAULTS");
    int64_t     wanted = text && !strcmp(text, "all") ? count : text ? atoll(text) : 3;
    int64_t     next   = n + (wanted > 0 ? (count + wanted - 1) / wanted : count);
    if (wanted < END || next <= count - END)
        return next;
    return n < count - END ? count - END : n + 1;
}

static bool is_one_sentence(const char *text)
{
    const char *error = strstr(text, "error: "), *end = error ? strchr(error, '\n') : NULL;
    return end && end[1] == 0 && !strstr(error + 1, "error: ");
}

typedef struct Reference {
    int64_t blocks;
    int     handles;
    char    tree[LIMIT_PATH]; // the output of an undisturbed run
} Reference;

// What must hold after any run, whatever happened to it. `tidy`: nothing kept the program from
// removing its temporary files; those of a killed run go once the folder is taken.
static bool check_run(const Case *c, const Reference *reference, const Outcome *o,
                      bool code_is_right, bool tidy, const char *what, int64_t point)
{
    const char *wrong = NULL;
    const char *out   = in_folder("%s", c->out);
    if (!code_is_right)
        wrong = "exit code";
    else if (o->code != 0 && o->code != 3 && !is_one_sentence(o->err))
        wrong = "not one sentence";
    else if (memory_live_blocks() != reference->blocks)
        wrong = "memory is left";
    else if (play_open_handles() != reference->handles)
        wrong = "a descriptor is left";
    else if (c->out[0] && !play_same_tree(reference->tree, out, o->code == 0,
                                          tidy && (!c->from[0] || o->code == 0)))
        wrong = "an output is torn";
    if (!wrong)
        return true;
    printf("  %s, %s at %lld: %s; exit %d: %s\n", c->verb, what, (long long)point, wrong, o->code,
           o->err);
    return false;
}

static bool make_reference(const Case *c, Reference *out)
{
    set_output(c, true);
    const Outcome *o = run_case(c);
    *out             = (Reference){.blocks = memory_live_blocks(), .handles = play_open_handles()};
    snprintf(out->tree, sizeof out->tree, "%s.reference", in_folder("%s", c->out));
    bool ok = CHECK(c->code < 0 ? o->code <= 1 : o->code == c->code);
    if (!ok)
        printf("  %s: exit %d: %s\n", c->verb, o->code, o->err);
    return ok && (!c->out[0] || play_copy_tree(in_folder("%s", c->out), out->tree));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void memory_faults(const Case *c)
{
    Reference reference;
    int       bad = 0;
    if (!make_reference(c, &reference))
        return;
    set_output(c, false);
    int64_t before = memory_calls();
    int     clean  = run_case(c)->code;
    int64_t count = memory_calls() - before, tried = 0;
    for (int forever = 0; forever < 2; forever++)
        for (int64_t n = 1; n <= count && bad < 5; n = point_after(n, count), tried++) {
            set_output(c, !forever); // else the earlier output stays in place
            before = memory_calls();
            memory_fail_at(n, forever);
            const Outcome *o = run_case(c);
            memory_fail_at(0, false);
            // With an earlier output in its place a run may need less; once may be made up for. A
            // piece that is published counts, though its attempt's folder could not be removed.
            bool spared = !forever || memory_calls() - before < n;
            bool stays  = forever && !strcmp(c->verb, "shard");
            bool right  = o->code == 71 || ((spared || stays) && o->code == clean);
            bad += !check_run(c, &reference, o, right, !stays,
                              forever ? "no memory from" : "no memory", n);
        }
    CHECK(bad == 0);
    printf("  %-12s %lld of %lld allocations\n", c->verb, (long long)tried, (long long)count * 2);
}

static void no_allocation_can_harm(void)
{
    REQUIRE(make_cases());
    for (int i = 0; i < case_count; i++)
        memory_faults(&cases[i]);
    parallel_set_threads(0);
    checkpoint_interval_set(10);
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct FileFault {
    const char *name;
    FaultKind   kind;
    int         reason;
    bool        forever;
} FileFault;

static const FileFault file_faults[] = {
    {"EIO", FAULT_FAILS, EIO, false},       {"EIO from", FAULT_FAILS, EIO, true},
    {"ENOSPC", FAULT_FAILS, ENOSPC, false}, {"ENOSPC from", FAULT_FAILS, ENOSPC, true},
    {"EAGAIN", FAULT_FAILS, EAGAIN, false}, {"EAGAIN from", FAULT_FAILS, EAGAIN, true},
    {"EDQUOT", FAULT_FAILS, EDQUOT, false}, {"ESTALE", FAULT_FAILS, ESTALE, false},
    {"EINTR", FAULT_FAILS, EINTR, false},   {"a short one", FAULT_SHORT, 0, false},
    {"short from", FAULT_SHORT, 0, true}};

// Exit codes that tell the truth about a failed operation.
static bool is_right_code(const Case *c, const FileFault *fault, FileOperation met, int code,
                          int clean)
{
    // A picture that cannot be read is a finding; what fails after it may end the check.
    bool check = !strcmp(c->verb, "verify") && (code == 1 || (code == 66 && fault->forever));
    if (fault->kind == FAULT_SHORT || fault->reason == EINTR)
        return code == clean || check;
    switch (met) {
    case FILE_OPEN: // an input, or the folder of an output that is to be synced
        return code == 66 || code == 74 || check;
    case FILE_READ:
        return code == 74 || check;
    case FILE_LIST: // the last one only asks whether the folder is empty
        return code == 66 || code == clean;
    case FILE_LOCK:
        return fault->reason == EAGAIN ? code == 75 : code == clean || fault->forever;
    case FILE_CREATE:
    case FILE_MAKE_FOLDER:
        return code == 73;
    case FILE_SHOW: // forgiven, but what fails after it is not
        return code == clean || (fault->forever && (code == 66 || code == 73 || code == 74));
    case FILE_REMOVE: // left to the next run, but what fails after it is not forgiven
        return code == 73 || code == clean || (fault->forever && (code == 66 || code == 74));
    default:
        return code == 74;
    }
}

static void file_fault_points(const Case *c, const FileFault *fault, const Reference *reference,
                              int64_t count, int clean, int *bad, int64_t *tried)
{
    for (int64_t n = 1; n <= count && *bad < 5; n = point_after(n, count), ++*tried) {
        FaultPlan plan = {.kind   = fault->kind,
                          .reason = fault->reason,
                          .at     = n,
                          .length = fault->forever ? INT64_MAX / 2 : 1};
        set_output(c, !fault->forever);
        faults_plan(&plan);
        const Outcome *o       = run_case(c);
        FileOperation  met     = faults_met();
        bool           reached = faults_seen() >= n;
        faults_plan(NULL);
        // What the run before left may take fewer operations than were counted.
        bool right = reached ? is_right_code(c, fault, met, o->code, clean) : o->code == clean;
        bool tidy  = !fault->forever && met != FILE_REMOVE;
        *bad += !check_run(c, reference, o, right, tidy, fault->name, n);
    }
}

static void no_file_operation_can_harm(void)
{
    REQUIRE(make_cases());
    for (int i = 0; i < case_count; i++) {
        const Case *c = &cases[i];
        Reference   reference;
        FaultPlan   none  = {0};
        int         bad   = 0;
        int64_t     tried = 0;
        if (!make_reference(c, &reference))
            continue;
        int     clean    = 0;
        int64_t count[2] = {0}; // onto an earlier output, which takes more; onto none
        for (int fresh = 0; fresh < 2; fresh++) {
            set_output(c, fresh);
            faults_plan(&none);
            clean        = run_case(c)->code;
            count[fresh] = faults_seen();
            faults_plan(NULL);
        }
        for (size_t k = 0; k < sizeof file_faults / sizeof *file_faults; k++)
            file_fault_points(c, &file_faults[k], &reference, count[!file_faults[k].forever], clean,
                              &bad, &tried);
        CHECK(bad == 0);
        printf("  %-12s %lld faults at %lld file operations\n", c->verb, (long long)tried,
               (long long)count[0]);
    }
    parallel_set_threads(0);
    checkpoint_interval_set(10);
}

SUITE(faults)
{
    RUN(no_allocation_can_harm);
    RUN(no_file_operation_can_harm);
}
