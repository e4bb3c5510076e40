/* tests/test_words_run.c - runs of CLIP-Dissect by the program: stored photos, pages, images. */
#include "../base/file.h"
#include "play.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

enum { IMAGES = 6 };

static const char *words(const char *set, const char *name, const char *more)
{
    static char out[LIMIT_PATH];
    snprintf(out, sizeof out, "%s", in_folder("%s", name));
    CHECK(play("describe %s -m %s -l conv22 -d %s -o %s -t 1 -q %s", play_words(), play_blob, set,
               out, more)
              ->code == 0);
    return out;
}

// The tower reads files of photos as they are, but not for photos that were stored anew.
static void a_tower_sees_stored_photos(void)
{
    REQUIRE(play_inputs(IMAGES));
    const char *photos = play_classes(IMAGES);
    REQUIRE(photos);
    words(photos, "float", "--store float");
    words(photos, "jpeg", "--store jpeg75");
    CHECK(!same_file(in_folder("float/images.npy"), in_folder("jpeg/images.npy")));
    CHECK(same_file(in_folder("float/concepts.npy"), in_folder("jpeg/concepts.npy")));
}

static void a_page_is_of_the_clean_run_it_was_made_from(void)
{
    REQUIRE(play_inputs(IMAGES));
    const char *noisy = in_folder("noisy"), *clean = words(play_probe, "clean", "");
    REQUIRE(play("noise %s --type gaussian --std 0.1 --store float -t 1 -q -o %s", clean, noisy)
                ->code == 0);
    CHECK(play("report %s -q", noisy)->code == 0);
    words(play_probe, "clean", "--overwrite --pool max");
    const Outcome *o = play("report %s -q --overwrite", noisy);
    CHECK(o->code == 2 && strstr(o->err, "was made from another clean run") &&
          strstr(o->err, "its pool is 'mean', there it is 'max'"));
}

static void cropped_images_are_not_compared_with_whole_ones(void)
{
    REQUIRE(play_inputs(IMAGES));
    const char *noisy = in_folder("noisy"), *clean = words(play_probe, "clean", "");
    REQUIRE(play("noise %s --type gaussian --std 0.1 --store float --keep-images -t 1 -q -o %s",
                 clean, noisy)
                ->code == 0);
    const Outcome *o = play("accuracy -m %s -d %s --poisoned %s -t 1 -q -o %s", play_blob,
                            play_probe, noisy, in_folder("right"));
    CHECK(o->code == 2 && strstr(o->err, "its images are enlarged and cropped"));
}

SUITE(words_run)
{
    RUN(a_tower_sees_stored_photos);
    RUN(a_page_is_of_the_clean_run_it_was_made_from);
    RUN(cropped_images_are_not_compared_with_whole_ones);
}
