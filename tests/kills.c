/* tests/kills.c - see kills.h. */
#include "kills.h"
#include "../base/snapshot.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const kills_verb[KILLS_VERBS] = {
    "dissect",   "noise",    "attack",   "soft",  "manipulate", "attribute", "robustness",
    "curvature", "accuracy", "describe", "words", "train",      "patterns"};

char    kills_line[KILLS_VERBS][LINE / 2]; // without -o
int64_t kills_changes[KILLS_VERBS];        // what each changes on disk in an undisturbed run
double  kills_seconds[KILLS_VERBS];

/* ---- runs in forks --------------------------------------------------------------------------- */

void kills_prepare(void *self)
{
    checkpoint_interval_set(0);
    faults_plan(self);
}

const char *kills_out(int verb)
{
    return in_folder("out/%s", kills_verb[verb]);
}

pid_t kills_start(int verb, FaultPlan *plan, const char *more)
{
    char line[LINE];
    snprintf(line, sizeof line, "%s -o %s %s", kills_line[verb], kills_out(verb), more);
    return play_start(kills_prepare, plan, line);
}

const Outcome *kills_run(int verb, FaultPlan *plan, const char *more)
{
    return play_result(kills_start(verb, plan, more));
}

const char *kills_wanted(int verb)
{
    return in_folder("wanted/%s", kills_verb[verb]);
}

bool kills_is_as_wanted(int verb)
{
    return play_same_tree(kills_wanted(verb), kills_out(verb), true, true);
}

bool kills_open(int verbs)
{
    const char *clean   = in_folder("clean");
    const char *classes = play_inputs(KILLS_IMAGES) ? play_classes(3) : NULL;
    if (!classes)
        return false;
    snprintf(kills_line[0], sizeof *kills_line, "dissect -m %s -l conv22 -d %s -t 1 -b 2",
             play_blob, play_probe);
    snprintf(kills_line[1], sizeof *kills_line,
             "noise --baseline %s --type gaussian --std 0.2 --store jpeg75,float "
             "--keep-images -t 1 -b 2",
             clean);
    snprintf(kills_line[2], sizeof *kills_line,
             "attack --baseline %s -u 0-2 --steps 2 --eps 0.1,0.2 --store png8,float "
             "--keep-images -t 1 -b 2",
             clean);
    snprintf(kills_line[3], sizeof *kills_line,
             "attack --baseline %s -u 0-1 --steps 2 --eps 0.1 --store float --loss "
             "soft-iou --masks activations --target random -t 1 -b 2",
             clean);
    snprintf(kills_line[4], sizeof *kills_line,
             "manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 2 --smooth 2:0.1 -t 1 "
             "-q",
             play_blob, play_probe);
    snprintf(kills_line[5], sizeof *kills_line,
             "attribute -m %s %s --method gradient,integrated,lrp --steps 2 --beta 1,10 -t 1 -q",
             play_blob, play_photo(1));
    snprintf(kills_line[6], sizeof *kills_line,
             "robustness -m %s -d %s --method gradient,lrp --measures "
             "rps,aam,insertion,adv-insertion,bound,accuracy "
             "--draws 2 --eps 4/255 --aam-steps 2 --similarities cosine,ssim -t 1 -b 2 -q",
             play_blob, classes);
    snprintf(kills_line[7], sizeof *kills_line, "curvature -m %s %s --steps 2 --beta 5,2 -t 1 -q",
             play_blob, play_photo(0));
    snprintf(kills_line[8], sizeof *kills_line,
             "accuracy -m %s -d %s --noise gaussian:0.3 --store jpeg75,float -t 1 -b 2 -q",
             play_blob, play_probe);
    snprintf(kills_line[9], sizeof *kills_line,
             "describe --method milan --captioner %s -m %s -l conv22 -d %s -t 1 -b 2 -q",
             play_captioner(), play_blob, play_probe);
    snprintf(kills_line[10], sizeof *kills_line, "describe %s -m %s -l conv22 -d %s -t 1 -b 2 -q",
             play_words(), play_blob, play_probe);
    snprintf(kills_line[11], sizeof *kills_line,
             "train -d mini:6:1 --epochs 2 -b 2 --rate 0.0001 -t 1 -q");
    snprintf(kills_line[12], sizeof *kills_line, "patterns -m %s -d %s --limit 4 -t 1 -q",
             play_blob, play_probe);
    if (play("%s -o %s -q", kills_line[0], clean)->code || !folder_create(in_folder("out"), NULL) ||
        !folder_create(in_folder("wanted"), NULL))
        return false;
    for (int verb = 0; verb < verbs; verb++) {
        FaultPlan      count = {.changes_only = true};
        double         begin = clock_seconds();
        const Outcome *o     = kills_run(verb, &count, "");
        kills_seconds[verb]  = clock_seconds() - begin;
        kills_changes[verb]  = play_operations();
        if (o->code || !play_copy_tree(kills_out(verb), kills_wanted(verb))) {
            printf("  %s: exit %d: %s\n", kills_verb[verb], o->code, o->err);
            return false;
        }
    }
    return true;
}

int64_t kills_asked(int64_t all)
{
    const char *text = getenv("KILLS");
    return !text ? 4 : strcmp(text, "all") ? atoll(text) : all;
}

// Goes on with a run and compares; says what is wrong.
bool kills_goes_on(int verb, FaultPlan *plan, const char *what, int64_t at)
{
    const Outcome *o = kills_run(verb, plan, "--resume");
    if (o->code == 0 && kills_is_as_wanted(verb))
        return true;
    printf("  %s, %s %lld: exit %d: %s\n", kills_verb[verb], what, (long long)at, o->code, o->err);
    return false;
}

// Interrupts a run late, so that a checkpoint is there.
bool kills_interrupt(int verb)
{
    FaultPlan plan = {.kind         = FAULT_SIGNAL,
                      .reason       = SIGTERM,
                      .changes_only = true,
                      .at           = kills_changes[verb] / 2};
    play_remove(kills_out(verb));
    return kills_run(verb, &plan, "")->code == 128 + SIGTERM;
}
