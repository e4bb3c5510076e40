/* tests/test_dry_run.c - --dry-run says what a run would take, and leaves nothing behind. */
#include "../base/file.h"
#include "play.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static bool says_all(const Outcome *o, const char *counted)
{
    return o->code == 0 && strstr(o->out, ", not run: nothing was written\n") &&
           strstr(o->out, "\nwork    ") && strstr(o->out, counted) &&
           strstr(o->out, "\ntime    about ") && strstr(o->out, "\nmemory  about ") && !o->err[0];
}

static void verbs_say_what_they_would_take(void)
{
    const char *classes = play_inputs(4) ? play_classes(3) : NULL;
    REQUIRE(classes != NULL);
    const char *clean = in_folder("clean"), *out = in_folder("dry");
    REQUIRE(play("dissect -m %s -l conv22 -d %s -t 1 -b 2 -q -o %s", play_blob, play_probe, clean)
                ->code == 0);
    CHECK(says_all(play("dissect -m %s -l conv22 -d %s -t 1 -b 2 -q --dry-run -o %s", play_blob,
                        play_probe, out),
                   "4 passes\n"));
    const Outcome *layers =
        play("dissect -m %s -l conv11,conv22 -d %s -t 1 -b 2 -q --dry-run -o %s", play_blob,
             play_probe, out);
    CHECK(says_all(layers, "8 passes\n") &&
          strstr(layers->out, "\n  layer           conv11,conv22\n"));
    CHECK(says_all(play("noise %s --type gaussian --std 0.2,0.3 --keep-images -t 1 -q --dry-run "
                        "-o %s",
                        clean, out),
                   "12 passes\n"));
    CHECK(says_all(
        play("attack %s -u all --steps 2 --keep-images -t 1 -q --dry-run -o %s", clean, out),
        " passes\n"));
    CHECK(says_all(play("manipulate -m %s --pairs 2 -d %s --method gradient --steps 3 -t 1 -q "
                        "--dry-run -o %s",
                        play_blob, play_probe, out),
                   " passes\n"));
    CHECK(says_all(play("robustness -m %s -d %s --method gradient --measures rps --eps 4/255 "
                        "--draws 2 -t 1 -q --dry-run -o %s",
                        play_blob, classes, out),
                   " passes\n"));
    CHECK(says_all(play("curvature -m %s %s --steps 2 --beta 5 -t 1 -q --dry-run -o %s", play_blob,
                        play_photo(0), out),
                   " points\n"));
    CHECK(says_all(play("attribute -m %s %s --method gradient,lrp -t 1 -q --dry-run -o %s",
                        play_blob, play_photo(1), out),
                   "2 maps\n"));
    CHECK(says_all(play("train -d mini:6:1 --epochs 2 -b 2 -t 1 -q --dry-run -o %s", out),
                   "6 steps\n"));
    CHECK(says_all(play("patterns -m %s -d %s -t 1 -q --dry-run -o %s", play_blob, play_probe, out),
                   "4 images\n"));
    CHECK(says_all(play("accuracy -m demo/mini.nw -d mini:6:1 -t 1 -q --dry-run -o %s", out),
                   "12 passes\n"));
    CHECK(!file_exists(out) && !file_exists(in_folder("dry.checkpoint")));
}

// Fewer images than a similarity needs are not enough for an estimate either.
static void methods_see_as_many_images_as_they_need(void)
{
    static const char list[] = "red\nblue\ndoor\n";
    const char       *world = in_folder("world"), *out = in_folder("dry");
    REQUIRE(file_publish(in_folder("list.txt"), list, sizeof list - 1, NULL));
    REQUIRE(play("mini --images 30 -q -o %s", world)->code == 0);
    for (int images = 27; images < 29; images++) {
        const Outcome *o = play("describe -m demo/mini.nw -l conv1_2 -d %s --method clip-dissect "
                                "--similarity wpmi --concepts %s --limit %d -t 1 -b 2 -q --dry-run "
                                "-o %s",
                                world, in_folder("list.txt"), images, out);
        CHECK(images < 28 ? o->code == 65 && strstr(o->err, "has 27 images") != NULL
                          : says_all(o, "28 passes\n"));
    }
    CHECK(!file_exists(out));
}

static void a_document_has_settings_and_estimate(void)
{
    REQUIRE(play_inputs(4));
    const Outcome *o = play("dissect -m %s -l conv22 -d %s -t 1 -b 2 -q --dry-run --json -o %s",
                            play_blob, play_probe, in_folder("dry"));
    CHECK(o->code == 0 && strstr(o->out, "\"dry_run\": true") &&
          strstr(o->out, "\"layer\": \"conv22\"") && strstr(o->out, "\"total\": 4") &&
          strstr(o->out, "\"memory_bytes\": "));
}

static void what_the_run_would_refuse_is_refused(void)
{
    REQUIRE(play_inputs(2));
    const char *run = in_folder("run");
    char        line[LINE];
    snprintf(line, sizeof line, "dissect -m %s -d %s -t 1 -q", play_blob, play_probe);
    CHECK(play("%s -l conv99 --dry-run -o %s", line, run)->code == ERROR_USAGE);
    CHECK(
        play("dissect -m %s -l conv22 -d %s --dry-run -o %s", play_probe, play_probe, run)->code ==
        ERROR_NOT_FOUND);
    CHECK(play("%s -l conv22 --dry-run -o %s", line, play_blob)->code != 0);
    REQUIRE(play("%s -l conv22 -o %s", line, run)->code == 0);
    CHECK(play("%s -l conv22 --dry-run -o %s", line, run)->code == ERROR_CREATE);
    CHECK(play("%s -l conv22 --dry-run --overwrite -o %s", line, run)->code == 0);
    CHECK(play("%s -l conv22 --dry-run --resume -o %s --limit 1", line, run)->code == ERROR_CREATE);
    CHECK(file_exists(in_folder("run/run.json")) && !file_exists(in_folder("run/.next")) &&
          !file_exists(in_folder("run/.lock")));
}

SUITE(dry_run)
{
    RUN(verbs_say_what_they_would_take);
    RUN(methods_see_as_many_images_as_they_need);
    RUN(a_document_has_settings_and_estimate);
    RUN(what_the_run_would_refuse_is_refused);
}
