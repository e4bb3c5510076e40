/* tests/test_train_options.c - the command line of train: what would be ignored is told. */
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>

static void an_option_of_another_objective_is_refused(void)
{
    NEED_PROGRAM();
    const char    *out = in_folder("x.nw");
    const Outcome *o   = program_run("train -d mini:4:1 --lambda-cos 10 -o %s", out);
    CHECK(o->code == 2 && strstr(o->err, "--lambda-cos is of --objective l2-cosd, not of ce"));
    o = program_run("train -d mini:4:1 --objective hessian --attack-steps 7 -o %s", out);
    CHECK(o->code == 2 &&
          strstr(o->err, "--attack-steps is of --objective pgd|triplet, not of hessian"));
    o = program_run("train -d mini:4:1 --perturb grad -o %s", out);
    CHECK(o->code == 2 && strstr(o->err, "--perturb is of --objective l2-cosd"));
    o = program_run("train -d mini:4:1 --captions mini -o %s", out);
    CHECK(o->code == 2 && strstr(o->err, "--captions is of --objective contrastive|caption"));
    CHECK(!file_exists(out) && !file_exists(in_folder("x.nw.checkpoint")));
    CHECK(program_run("train -d mini:4:1 --epochs 1 -b 2 --lambda-cos 1 -q -o %s", out)->code == 0);
    o = program_run("train -d mini:4:1 -m %s --arch vit -o %s", out, in_folder("y.nw"));
    CHECK(o->code == 2 && strstr(o->err, "--arch vit draws weights"));
}

static void what_cannot_begin_leaves_nothing(void)
{
    NEED_PROGRAM();
    const char *out = in_folder("x.nw");
    CHECK(program_run("train -d mini:8:1 -o %s", out)->code != 0); // a batch has 32 images
    CHECK(!file_exists(out) && !file_exists(in_folder("x.nw.checkpoint")));
    CHECK(program_run("train -d mini:8:1 -b 4 --epochs 1 -q -o %s", out)->code == 0);
}

// A run that was killed before its first step has left what it drew, by whatever seed.
static void weights_without_a_step_are_drawn_again(void)
{
    NEED_PROGRAM();
    const char *line = "train -d mini:8:1 -b 4 --epochs 1 -q -s %d -o %s %s";
    REQUIRE(program_run(line, 1, in_folder("other.nw"), "")->code == 0 &&
            program_run(line, 2, in_folder("wanted.nw"), "")->code == 0);
    REQUIRE(rename(in_folder("other.nw"), in_folder("x.nw.checkpoint")) == 0);
    CHECK(program_run(line, 2, in_folder("x.nw"), "--resume")->code == 0);
    CHECK(same_file(in_folder("x.nw"), in_folder("wanted.nw")));
}

SUITE(train_options)
{
    RUN(what_cannot_begin_leaves_nothing);
    RUN(weights_without_a_step_are_drawn_again);
    RUN(an_option_of_another_objective_is_refused);
}
