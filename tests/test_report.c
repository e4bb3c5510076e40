/* tests/test_report.c - pages: well formed, harmless with hostile names, true to the dissection. */
#include "../base/file.h"
#include "../nem/dissect/dissect_private.h"
#include "../report/report.h"
#include "page_check.h"
#include "test.h"
#include "tiny_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static World world;

static ReportJob job_of(const char *verb, const char *folder)
{
    static const ReportFact facts[] = {{"", "verb", "a <b> & \"c\""}, {"data", "path", "/x'y"}};
    return (ReportJob){.verb       = verb,
                       .network    = "tiny",
                       .layer      = "second",
                       .seed       = "7",
                       .clean      = world.clean,
                       .facts      = facts,
                       .fact_count = 2,
                       .folder     = folder};
}

// A folder of the running test.
static const char *make_folder(const char *name)
{
    static char path[LIMIT_PATH];
    return path_join(path, test_folder(), name, NULL) && folder_create(path, NULL) ? path : NULL;
}

// The page that a job writes, or NULL; release with bytes_close.
static const char *write_page(const ReportJob *job, Bytes *bytes)
{
    char  path[LIMIT_PATH];
    Error error = {0};
    CHECK(report_write(job, &error));
    CHECK_TEXT(error.message, "");
    bool ok = path_join(path, job->folder, "index.html", NULL) &&
              file_read(path, LIMIT_TEXT_FILE, bytes, NULL);
    return ok ? (const char *)bytes->data : NULL;
}

/* ---- well formed ----------------------------------------------------------------------------- */

static void the_checker_finds_what_is_wrong(void)
{
    CHECK(!page_problem("<!DOCTYPE html><p class=\"a\">x &amp; y<br></p>"));
    CHECK(page_problem("<!DOCTYPE html><p>x & y</p>") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p>x < y</p>") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p>x > y</p>") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p><b>x</p></b>") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p>x") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p class=a>x</p>") != NULL);
    CHECK(page_problem("<!DOCTYPE html><p onclick=\"x\">x</p>") != NULL);
}

static void a_clean_run_has_a_page(void)
{
    Bytes bytes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    ReportJob   job  = job_of("dissect", make_folder("clean"));
    const char *page = write_page(&job, &bytes);
    REQUIRE(page);
    CHECK(!page_problem(page));
    CHECK(strstr(page, "detectors") && strstr(page, "dotted, or &quot;spotted&quot;"));
    CHECK(strstr(page, "a &lt;b&gt; &amp; &quot;c&quot;") && strstr(page, "/x&#39;y"));
    CHECK(!strstr(page, "://") && !strstr(page, "src=\"/"));
    bytes_close(&bytes);
    world_close(&world);
}

static void noise_and_attack_have_theirs(void)
{
    Bytes        bytes   = {0};
    Changes      changes = {0};
    const double std[]   = {0.05, 0.2};
    REQUIRE(world_open(&world, "corrupt23", 4));
    Noise    noise = {NOISE_GAUSSIAN, 0, 1, 3};
    NoiseJob run   = {.clean          = world.clean,
                      .type           = noise.type,
                      .strengths      = std,
                      .strength_count = 2,
                      .fraction       = 1,
                      .arms           = world_arms,
                      .arm_count      = STORE_ARMS,
                      .seed           = noise.seed};
    REQUIRE(noise_run(&run, &changes, NULL));
    ReportJob job    = job_of("noise", make_folder("noise"));
    job.changes      = &changes;
    job.noise        = &noise;
    const char *page = write_page(&job, &bytes);
    REQUIRE(page);
    CHECK(!page_problem(page));
    CHECK(strstr(page, "before and after gaussian noise at 0.2") && strstr(page, ">control<"));
    bytes_close(&bytes);
    changes_close(&changes);

    AttackJob attack = world_job(&world);
    REQUIRE(attack_run(&attack, &changes, NULL));
    job         = job_of("attack", make_folder("attack"));
    job.changes = &changes;
    job.attack  = &attack;
    page        = write_page(&job, &bytes);
    REQUIRE(page);
    CHECK(!page_problem(page));
    CHECK(strstr(page, "id=\"film\"") && strstr(page, "<b>step 4</b>") &&
          !strstr(page, "<b>step 5</b>"));
    CHECK(strstr(page, "mask before, cut at ") && strstr(page, "; masks are cut at "));
    bytes_close(&bytes);
    changes_close(&changes);
    world_close(&world);
}

// The threshold of a changed unit afterwards stands beside that of the clean run.
static void changed_units_show_what_they_are_said_to_detect(void)
{
    Bytes   bytes   = {0};
    Changes changes = {0};
    int     shown   = 0;
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob attack = world_job(&world);
    attack.arms      = (StoreArm[]){STORE_FLOAT};
    attack.eps_count = attack.arm_count = 1;
    REQUIRE(attack_run(&attack, &changes, NULL));
    ReportJob job    = job_of("attack", make_folder("now"));
    job.changes      = &changes;
    job.attack       = &attack;
    const char *page = write_page(&job, &bytes);
    REQUIRE(page);
    for (int64_t i = 0; i < changes.count; i++) {
        const ChangeRow *row = &changes.rows[i];
        char             told[96];
        if (row->strength == 0 || !row->changed || !row->now.label)
            continue;
        snprintf(told, sizeof told, "mask at the new threshold, %.6g (clean: %.6g), ",
                 (double)row->new_threshold, (double)world.record.units[row->unit].threshold);
        CHECK(strstr(page, told) != NULL);
        shown++;
    }
    CHECK(shown > 0);
    bytes_close(&bytes);

    for (int64_t i = 0; i < changes.count; i++) // as files of earlier versions are
        changes.rows[i].new_threshold = NAN;
    job.folder = make_folder("before");
    page       = write_page(&job, &bytes);
    CHECK(page && !page_problem(page) && !strstr(page, "mask at the new threshold"));
    bytes_close(&bytes);
    changes_close(&changes);
    world_close(&world);
}

static void any_attacked_unit_can_have_the_film(void)
{
    Changes changes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob attack  = world_job(&world);
    attack.units      = (int64_t[]){0, 3, 5}; // 5 is dead: no concept, no image
    attack.unit_count = 3;
    attack.eps_count = attack.arm_count = 1;
    REQUIRE(attack_run(&attack, &changes, NULL));
    for (int64_t unit = 0; unit < WORLD_UNITS; unit++) {
        Bytes bytes = {0};
        Error error = {0};
        char  head[64], name[32];
        snprintf(name, sizeof name, "film%lld", (long long)unit);
        ReportJob job = job_of("attack", make_folder(name));
        job.changes   = &changes;
        job.attack    = &attack;
        job.film_unit = &unit;
        if (unit == 0 || unit == 3) {
            const char *page = write_page(&job, &bytes);
            snprintf(head, sizeof head, "<h2>An attack on unit %lld, step", (long long)unit);
            CHECK(page && !page_problem(page) && strstr(page, head));
            bytes_close(&bytes);
        } else {
            CHECK(!report_write(&job, &error) && error.code == ERROR_USAGE);
            CHECK(strstr(error.message, unit == 5 ? "had no image" : "was not attacked") != NULL);
        }
    }
    changes_close(&changes);
    world_close(&world);
}

// A unit without a concept, or whose own is the target, has nothing to be perturbed.
static void untouched_units_are_counted_apart(void)
{
    Bytes   bytes   = {0};
    Changes changes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    AttackJob attack = world_job(&world);
    attack.target    = (TargetChoice){.kind = TARGET_LABEL, .label = world.record.units[0].label};
    attack.eps_count = 1;
    int64_t   untouched = 0;
    ReportJob job       = job_of("attack", make_folder("untouched"));
    for (int64_t i = 0; i < attack.unit_count; i++)
        untouched += world.record.units[attack.units[i]].label == attack.target.label ||
                     world.record.units[attack.units[i]].label == 0;
    REQUIRE(untouched > 0 && attack_run(&attack, &changes, NULL));
    job.changes      = &changes;
    job.attack       = &attack;
    const char *page = write_page(&job, &bytes);
    char        told[80];
    snprintf(told, sizeof told, "<b>%lld</b> of the attacked units w", (long long)untouched);
    REQUIRE(page);
    CHECK(!page_problem(page) && strstr(page, told) && strstr(page, ">untouched</td>"));
    CHECK(strstr(page, "nothing was tried, since"));
    bytes_close(&bytes);
    changes_close(&changes);
    world_close(&world);
}

/* ---- hostile names --------------------------------------------------------------------------- */

static bool rename_label(int32_t label, const char *name)
{
    RunRecord   *record = &world.record;
    const char **texts  = (const char **)(uintptr_t)world.explainer.labels->text;
    memory_free(world.probe.labels[label].name);
    world.probe.labels[label].name = memory_text(name, NULL);
    texts[label]                   = world.probe.labels[label].name;
    for (int64_t i = 0; i < record->unit_count; i++)
        if (record->units[i].label == label) {
            memory_free(record->units[i].label_name);
            record->units[i].label_name = memory_text(name, NULL);
        }
    return world.probe.labels[label].name != NULL;
}

static void hostile_names_stay_text(void)
{
    static char long_name[10241];
    Bytes       bytes = {0};
    REQUIRE(world_open(&world, "corrupt23", 4));
    memset(long_name, 'x', sizeof long_name - 1);
    REQUIRE(rename_label(1, "<script>alert(1)</script>") && rename_label(2, "=1+1\"' onload='x") &&
            rename_label(3, "two\nlines\x01\xff\xe2\x80\xae") && rename_label(4, long_name) &&
            rename_label(5, "</bdi></td>-->]]>") && rename_label(6, "&lt;b&gt;"));
    ReportJob   job  = job_of("dissect", make_folder("hostile"));
    const char *page = write_page(&job, &bytes);
    REQUIRE(page);
    CHECK(!page_problem(page));
    CHECK(!strstr(page, "<script>alert") && !strstr(page, "\xe2\x80\xae") && !strstr(page, "\xff"));
    CHECK(!strstr(page, "two\n") && !strchr(page, 1));
    CHECK(!strstr(page,
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    bytes_close(&bytes);
    world_close(&world);
}

/* ---- true numbers ---------------------------------------------------------------------------- */

static void check_sum(const Dissection *all, int64_t unit, const ConceptSum *sum,
                      const Concept *top)
{
    const ConceptTally *tally = &all->tally;
    CHECK(sum->concept.label == top->label && sum->concept.score == top->score);
    CHECK(sum->both == tally->both[unit * tally->label_count + top->label]);
    CHECK(sum->truth == tally->truth[top->label]);
    CHECK(sum->activity == tally->activity[unit * tally->category_count + top->category]);
    CHECK(sum->either == sum->activity + sum->truth - sum->both);
}

// The label is behind after the margin, so the margin is more than what it may lose where the
// runner-up's IoU stands still or rises, and at most what it has.
static void check_margin(const Story *story)
{
    CHECK(story->rank_count >= 2 || story->leave == 0);
    if (story->leave)
        CHECK(story->leave <= story->rank[0].both);
}

static void stories_are_those_of_the_dissection(void)
{
    Dissection all  = {0};
    size_t     set  = (size_t)WORLD_IMAGES * WORLD_CELLS * WORLD_CELLS;
    float     *maps = memory_new(WORLD_UNITS * set, sizeof *maps, NULL);
    REQUIRE(maps && world_open(&world, "corrupt23", 4));
    REQUIRE(
        dissect_layer(&all, &world.rules, &world.inputs, &world.inputs.images, &world.pass, NULL));
    REQUIRE(maps_collect(&world.inputs, world_units, WORLD_UNITS, &world.pass, maps, NULL));
    for (int64_t unit = 0; unit < WORLD_UNITS; unit++) {
        UnitStory told = {0};
        REQUIRE(unit_story_tell(&world.clean, unit, maps + (size_t)unit * set, &told, NULL));
        const Story *story = told.story;
        Concept      top[DISSECT_TOP];
        int64_t      above = 0;
        dissect_top(&all, unit, top);
        CHECK(told.threshold == all.threshold[unit] && story->threshold == told.threshold);
        for (int i = 0; i < story->rank_count; i++)
            check_sum(&all, unit, &story->rank[i], &top[i]);
        for (size_t i = 0; i < set; i++)
            above += maps[(size_t)unit * set + i] > told.threshold;
        CHECK(story->above == above && story->values == (int64_t)set);
        CHECK(story->top_count == told.top_count);
        for (int i = 1; i < told.top_count; i++)
            CHECK(told.top[i - 1].peak >= told.top[i].peak);
        check_margin(story);
        unit_story_close(&told, world.explainer.method);
    }
    memory_free(maps);
    dissection_close(&all);
    world_close(&world);
}

// Maps of another network are not those of the run.
static void stories_are_of_the_run_that_the_record_is_of(void)
{
    size_t    set   = (size_t)WORLD_IMAGES * WORLD_CELLS * WORLD_CELLS;
    float    *maps  = memory_new(set, sizeof *maps, NULL);
    UnitStory told  = {0};
    Error     error = {0};
    REQUIRE(maps && world_open(&world, "corrupt23", 4));
    REQUIRE(maps_collect(&world.inputs, world_units, 1, &world.pass, maps, NULL));
    for (size_t i = 0; i < set; i++)
        maps[i] *= 1.5f;
    CHECK(!unit_story_tell(&world.clean, 0, maps, &told, &error) && error.code == ERROR_DATA);
    CHECK(!told.story && told.top_count == 0);
    memory_free(maps);
    world_close(&world);
}

SUITE(report)
{
    RUN(the_checker_finds_what_is_wrong);
    RUN(a_clean_run_has_a_page);
    RUN(noise_and_attack_have_theirs);
    RUN(changed_units_show_what_they_are_said_to_detect);
    RUN(any_attacked_unit_can_have_the_film);
    RUN(untouched_units_are_counted_apart);
    RUN(hostile_names_stay_text);
    RUN(stories_are_those_of_the_dissection);
    RUN(stories_are_of_the_run_that_the_record_is_of);
}
