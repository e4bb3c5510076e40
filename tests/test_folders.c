/* tests/test_folders.c - folders as people have them: with stray files, links, or flat. */
#include "../base/file.h"
#include "play.h"
#include "small_inputs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool copy_photo(int from, const char *to)
{
    return play_copy_tree(play_photo(from), to);
}

static void stray_files_are_no_training_pictures(void)
{
    REQUIRE(play_inputs(5) && folder_create(in_folder("data/a"), NULL) &&
            folder_create(in_folder("data/b/inner"), NULL));
    REQUIRE(copy_photo(0, in_folder("data/a/0.png")) && copy_photo(1, in_folder("data/b/1.png")));
    CHECK(play("train -d %s --arch resnet20 --epochs 1 -b 2 -t 1 -q -o %s", in_folder("data"),
               in_folder("a.nw"))
              ->code == 0);
    CHECK(strstr(play("inspect %s", in_folder("a.nw"))->out, "source        nemesis train -d "));
    REQUIRE(file_publish(in_folder("data/README.txt"), "x", 1, NULL) &&
            file_publish(in_folder("data/a/Thumbs.db"), "x", 1, NULL));
    const Outcome *o = play("train -d %s --arch resnet20 --epochs 1 -b 2 -t 1 -q -o %s",
                            in_folder("data"), in_folder("b.nw"));
    CHECK(o->code == 0 && strstr(o->out, "2 images in 2 classes"));
    o = play("train -d %s -o %s -t 1", in_folder("data/a"), in_folder("c.nw"));
    CHECK(o->code == 65 && strstr(o->err, "expected a folder of class folders"));
}

// As its own preparation says, which other verbs follow: here enlarged and cropped.
static void a_network_is_trained_on_what_it_will_see(void)
{
    REQUIRE(play_inputs(5) && play_classes(4) && folder_create(in_folder("cropped"), NULL));
    REQUIRE(make_cropping_blob(in_folder("crops.nw"), 1, "24"));
    for (int i = 0; i < 4; i++) {
        const char *photo = in_folder("classes/%c/%d.png", "ab"[i / 2], i);
        const char *class = in_folder("cropped/%c", "ab"[i / 2]);
        REQUIRE(folder_create(class, NULL));
        CHECK(play("image %s --resize 24 --crop 16 -o %s/%d.png", photo, class, i)->code == 0);
    }
    const char    *of    = "train -m %s -d %s --test %s --epochs 1 -b 2 -t 1 -q --overwrite -o %s";
    const char    *crops = in_folder("crops.nw"), *net = play_blob, *out = in_folder("a.nw");
    const char    *whole = in_folder("classes"), *cropped = in_folder("cropped");
    const Outcome *own = play(of, crops, whole, whole, out);
    CHECK(strstr(own->out, "held out: loss"));
    CHECK_TEXT(play(of, net, cropped, cropped, out)->out, own->out);
    own = play(of, crops, whole, whole, out);
    CHECK(strcmp(play(of, net, whole, whole, out)->out, own->out) != 0);
}

static void a_link_in_a_set_is_called_a_link(void)
{
    char photo[LIMIT_PATH], kept[LIMIT_PATH];
    REQUIRE(play_inputs(5));
    snprintf(photo, sizeof photo, "%s", play_photo(0));
    snprintf(kept, sizeof kept, "%s", in_folder("kept.png"));
    REQUIRE(rename(photo, kept) == 0 && symlink(kept, photo) == 0);
    const Outcome *o =
        play("dissect -m %s -l conv22 -d %s -o %s -t 1", play_blob, play_probe, in_folder("run"));
    CHECK(o->code == 66 && strstr(o->err, "is a symbolic link, and links below the folder"));
}

static void a_reader_that_has_seen_enough_is_no_error(void)
{
    NEED_INPUTS();
    int  ends[2];
    char path[64];
    REQUIRE(pipe(ends) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    close(ends[0]);
    const Outcome *o = program_run_to(path, "inspect %s", blob);
    close(ends[1]);
    CHECK(o->code == 141 && !o->err[0]);
}

SUITE(folders)
{
    RUN(stray_files_are_no_training_pictures);
    RUN(a_network_is_trained_on_what_it_will_see);
    RUN(a_link_in_a_set_is_called_a_link);
    RUN(a_reader_that_has_seen_enough_is_no_error);
}
