/* tests/test_shards.c - pieces of a plan make the bytes of a run on one machine, whatever happens to
 * them on the way. */
#include "../base/share.h"
#include "../base/snapshot.h"
#include "faults.h"
#include "nem_world.h"
#include "play_shards.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- runs ------------------------------------------------------------------------------------ */

enum { FEW = 5, GROUPS = 130 }; // images; of three groups that are never cut

typedef struct Line {
    const char *name, *words; // %s: the clean run, or the drawn set and its network
    bool        is_drawn;
} Line;

static const Line lines[] = {
    {"attack", "attack %s -u 0-2 --steps 2 --eps 0.1,0.2 --store float,jpeg75", false},
    {"noise", "noise %s --type gaussian --std 0.2,0.3 --store float,jpeg75", false},
};

static const char *words_of(const Line *line)
{
    static char words[LINE];
    char        rest[LINE / 2];
    snprintf(rest, sizeof rest, "-m demo/mini.nw -l conv1_2 -d %s -b 8", in_folder("drawn"));
    snprintf(words, sizeof words, line->words, line->is_drawn ? rest : in_folder("clean"));
    return words;
}

static bool open_world(void)
{
    return play_inputs(FEW) && play("dissect -m %s -l conv22 -d %s -b 2 -t 1 -q -o %s", play_blob,
                                    play_probe, in_folder("clean"))
                                       ->code == 0;
}

static bool make_whole(const Line *line)
{
    return play("%s -o %s -t 1 -q", words_of(line), in_folder("%s", line->name))->code == 0;
}

static bool make_plan(const Line *line, int shards, const char *plan)
{
    return play_plan(words_of(line), shards, plan);
}

// run.json from its state on, up to what a machine and a clock say; `counts`: and up to them.
static bool same_document(const char *a, const char *b, bool counts)
{
    Bytes one = {0}, other = {0};
    bool  same = file_read(a, SIZE_MAX, &one, NULL) && file_read(b, SIZE_MAX, &other, NULL);
    if (same) {
        const char *from = strstr((const char *)one.data, "\"state\""),
                   *to   = strstr((const char *)one.data, counts ? "\"machine\"" : "\"counts\""),
                   *with = strstr((const char *)other.data, "\"state\"");
        same             = from && to && with && strncmp(from, with, (size_t)(to - from)) == 0;
    }
    bytes_close(&one);
    bytes_close(&other);
    return same;
}

static bool merges_to_the_whole(const Line *line, const char *plan)
{
    play_remove(in_folder("merged"));
    const Outcome *o = play("merge %s -o %s -t 1 -q", in_folder("%s", plan), in_folder("merged"));
    if (o->code)
        printf("  merge: %s", o->err);
    return o->code == 0 &&
           play_same_tree(in_folder("%s", line->name), in_folder("merged"), true, true) &&
           same_document(in_folder("%s/run.json", line->name), in_folder("merged/run.json"),
                         strcmp(line->name, "dissect") != 0); // takes two passes in pieces
}

static bool same_for(const Line *line, const int *shards, int count)
{
    bool same = make_whole(line);
    for (int i = 0; same && i < count; i++) {
        char plan[64];
        snprintf(plan, sizeof plan, "%s-%d", line->name, shards[i]);
        same = make_plan(line, shards[i], plan) && play_shards(plan) &&
               merges_to_the_whole(line, plan);
        if (!same)
            printf("  %s in %d pieces\n", line->name, shards[i]);
    }
    return same;
}

static void a_sweep_in_any_number_of_pieces_has_the_bytes_of_one_run(void)
{
    REQUIRE(open_world());
    CHECK(same_for(&lines[0], (const int[]){1, 2, 3, 8}, 4));
    CHECK(same_for(&lines[1], (const int[]){1, 2, 3, 8}, 4));
}

static void a_clean_run_in_any_number_of_pieces_has_the_bytes_of_one_run(void)
{
    static const Line dissect = {"dissect", "dissect %s", true};
    char              words[LINE];
    Line              clip = {"clip", words, true};
    REQUIRE(play("mini --images %d -q -o %s", GROUPS, in_folder("drawn"))->code == 0);
    CHECK(same_for(&dissect, (const int[]){8}, 1));
    snprintf(words, sizeof words, "describe %s %%s --limit 70", play_words());
    CHECK(same_for(&clip, (const int[]){2}, 1));
}

static void captions_in_any_number_of_pieces_have_the_bytes_of_one_run(void)
{
    char words[LINE];
    Line milan = {"milan", words, false};
    REQUIRE(play_inputs(FEW));
    snprintf(words, sizeof words, "describe --method milan --captioner %s -m %s -l conv22 -d %s",
             play_captioner(), play_blob, play_probe);
    CHECK(same_for(&milan, (const int[]){1, 4}, 2));
}

static void studies_of_maps_in_pieces_have_the_bytes_of_one_run(void)
{
    char words[LINE];
    Line manipulate = {"manipulate", words, false}, robustness = {"robustness", words, false};
    REQUIRE(play_inputs(FEW));
    snprintf(words, sizeof words,
             "manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 2 --store float",
             play_blob, play_probe);
    CHECK(same_for(&manipulate, (const int[]){1, 3}, 2));
    snprintf(
        words, sizeof words,
        "robustness -m demo/mini.nw -d mini:101:3 --method gradient --measures rps --eps 4/255 "
        "--draws 1 --similarities cosine");
    CHECK(same_for(&robustness, (const int[]){2}, 1));
}

/* ---- two at a time, and none to the end ------------------------------------------------------ */

static void keep_everything(void *self)
{
    checkpoint_interval_set(0);
    faults_plan(self);
}

static pid_t start_piece(FaultPlan *plan, int piece)
{
    char line[LINE];
    snprintf(line, sizeof line, "shard %s %d -t 1 -q", in_folder("plan"), piece);
    return play_start(keep_everything, plan, line);
}

static void the_same_piece_twice_at_a_time(void)
{
    FaultPlan none = {0};
    REQUIRE(open_world() && make_whole(&lines[0]) && make_plan(&lines[0], 2, "plan"));
    for (int piece = 0; piece < 2; piece++) {
        pid_t one = start_piece(&none, piece), other = start_piece(&none, piece);
        CHECK(play_result(one)->code == 0 && play_result(other)->code == 0);
    }
    CHECK(merges_to_the_whole(&lines[0], "plan"));
}

static void a_piece_that_dies_anywhere_is_made_up_for(void)
{
    FaultPlan none = {.changes_only = true};
    REQUIRE(open_world() && make_whole(&lines[1]) && make_plan(&lines[1], 1, "plan"));
    REQUIRE(play_result(start_piece(&none, 0))->code == 0);
    int64_t ends = 2 * play_operations();
    for (int64_t k = 0; k < ends; k += ends / 6) {
        FaultPlan dies = {.kind         = k % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE,
                          .at           = k / 2 + 1,
                          .changes_only = true};
        play_remove(in_folder("plan/work"));
        play_remove(in_folder("plan/pieces"));
        REQUIRE(folder_create(in_folder("plan/pieces"), NULL));
        CHECK(play_result(start_piece(&dies, 0))->code == 128 + SIGKILL);
        CHECK(play("plan --status %s", in_folder("plan"))->code == 0);
        CHECK(play_result(start_piece(&none, 0))->code == 0);
        CHECK(merges_to_the_whole(&lines[1], "plan"));
    }
    CHECK(strstr(play("plan --status %s", in_folder("plan"))->out, "left behind by tasks"));
}

/* ---- pieces that are not trusted ------------------------------------------------------------- */

static bool find_piece(const char *plan, int64_t piece, char out[LIMIT_PATH])
{
    char  **names = NULL, start[32];
    int64_t count = 0;
    bool    found = false;
    snprintf(start, sizeof start, "%lld-", (long long)piece);
    if (!folder_list(in_folder("%s/pieces", plan), &names, &count, NULL))
        return false;
    for (int64_t i = 0; i < count && !found; i++)
        if ((found = strncmp(names[i], start, strlen(start)) == 0))
            snprintf(out, LIMIT_PATH, "%s", in_folder("%s/pieces/%s", plan, names[i]));
    names_free(names, count);
    return found;
}

static const Outcome *merge_again(void)
{
    play_remove(in_folder("merged"));
    return play("merge %s -o %s -t 1", in_folder("plan"), in_folder("merged"));
}

static bool is_refused(const char *why)
{
    const Outcome *o = merge_again();
    return o->code == ERROR_DATA && strstr(o->err, "--array=1") && strstr(o->err, why) &&
           !file_exists(in_folder("merged"));
}

static void a_damaged_piece_is_named_and_made_again(void)
{
    char   path[LIMIT_PATH];
    Bytes  good   = {0};
    Random random = random_stream(test_seed(), "damage");
    REQUIRE(open_world() && make_whole(&lines[0]) && make_plan(&lines[0], 2, "plan"));
    REQUIRE(play_shard("plan", 0) == 0 && play_shard("plan", 1) == 0 &&
            find_piece("plan", 1, path) && file_read(path, SIZE_MAX, &good, NULL));
    uint8_t *bad = memory_new(good.size + 1, 1, NULL);
    REQUIRE(bad != NULL);
    for (int i = 0; i < 40; i++) { // bits of the head, then anywhere
        size_t at = i < 20 ? (size_t)i * 5 : random_word(&random) % good.size;
        memcpy(bad, good.data, good.size);
        bad[at] ^= (uint8_t)(1u << (i % 8));
        REQUIRE(write_bytes(path, bad, good.size));
        CHECK(is_refused("is cut short or damaged"));
    }
    for (size_t size = 0; size < good.size; size += good.size / 12 + 1) {
        REQUIRE(write_bytes(path, good.data, size));
        CHECK(is_refused("is cut short or damaged"));
    }
    memcpy(bad, good.data, good.size);
    REQUIRE(write_bytes(path, bad, good.size + 1));
    CHECK(is_refused("is cut short or damaged"));
    CHECK(strstr(play("plan --status %s", in_folder("plan"))->out, "broken: --array=1\n"));
    CHECK(play_shard("plan", 0) == 0 && play_shard("plan", 1) == 0);
    CHECK(merges_to_the_whole(&lines[0], "plan"));
    memory_free(bad);
    bytes_close(&good);
}

// With the right digest in its name, but of another plan, or another piece of this one.
static void a_foreign_piece_is_named(void)
{
    char  path[LIMIT_PATH], other[LIMIT_PATH], name[PIECE_NAME];
    Bytes bytes = {0};
    REQUIRE(open_world() && make_plan(&lines[0], 2, "plan") && make_plan(&lines[0], 3, "other"));
    REQUIRE(play_shard("plan", 0) == 0 && play_shard("other", 1) == 0);
    REQUIRE(find_piece("other", 1, other) && file_read(other, SIZE_MAX, &bytes, NULL));
    snprintf(path, sizeof path, "%s", in_folder("plan/pieces/%s", strrchr(other, '/') + 1));
    CHECK(file_publish(path, bytes.data, bytes.size, NULL));
    CHECK(is_refused("is of another plan or another version"));
    bytes_close(&bytes);
    CHECK(file_remove(path, NULL) && merge_again()->code == ERROR_PIECES);
    REQUIRE(find_piece("plan", 0, other) && file_read(other, SIZE_MAX, &bytes, NULL));
    snprintf(name, sizeof name, "1%s", strrchr(other, '/') + 2);
    CHECK(file_publish(in_folder("plan/pieces/%s", name), bytes.data, bytes.size, NULL));
    CHECK(is_refused("is of another plan or another version"));
    bytes_close(&bytes);
    CHECK(play_shard("plan", 1) == 0 && merge_again()->code == 0);
}

// With the plan's own digest: then it is what the verb reads of it that has to be refused.
static void a_forged_piece_is_refused(void)
{
    const Outcome *o = NULL;
    static uint8_t bytes[4096];
    REQUIRE(open_world() && make_plan(&lines[0], 1, "plan"));
    memset(bytes, 0xff, sizeof bytes);
    for (int i = 1; i < 8; i++) { // sizes of no row, of half a row, of rows that cannot be
        SnapshotPart parts[2] = {{bytes, (size_t)i * 68}, {bytes, 7}};
        play_remove(in_folder("plan/pieces"));
        REQUIRE(folder_create(in_folder("plan/pieces"), NULL) &&
                play_forge("plan", 0, parts, 1 + i % 2));
        o = merge_again();
        CHECK(o->code == ERROR_DATA && !strstr(o->err, "--overwrite"));
    }
    CHECK(o && strstr(o->err, "does not fit this run; remove it and make it again"));
}

static void shares_are_all_of_the_work_and_cut_no_group(void)
{
    for (int64_t things = 0; things < 300; things += 7)
        for (int64_t count = 1; count < 12; count++) {
            int64_t at = 0, first, past;
            for (int64_t i = 0; i < count; i++, at = past) {
                share_range((Share){i, count}, things, 64, &first, &past);
                CHECK(first == at && past >= first && (past % 64 == 0 || past == things));
            }
            CHECK(at == things);
        }
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void what_is_missing_is_listed(void)
{
    REQUIRE(open_world() && make_plan(&lines[0], 6, "plan") && play_shard("plan", 2) == 0);
    const Outcome *o = merge_again();
    CHECK(o->code == ERROR_PIECES && strstr(o->err, "5 of 6 pieces are missing"));
    CHECK(strstr(o->err, "--array=0-1,3-5\n"));
    o = play("plan --status %s --json", in_folder("plan"));
    CHECK(o->code == 0 && strstr(o->out, "\"missing\": \"0-1,3-5\"") &&
          strstr(o->out, "\"done\": 1"));
}

// Every other of many pieces is missing: too many for one sentence.
static void a_long_list_is_told_by_status(void)
{
    char words[LINE] = "attack %s -u 0-5 --store float --steps 1 --eps 0.01";
    Line line        = {"attack", words, false};
    for (int i = 2; i <= 30; i++)
        snprintf(words + strlen(words), sizeof words - strlen(words), ",0.%02d", i);
    REQUIRE(open_world() && make_plan(&line, 180, "plan"));
    for (int i = 1; i < 180; i += 2)
        REQUIRE(play_forge("plan", i, NULL, 0));
    const Outcome *o = merge_again();
    CHECK(o->code == ERROR_PIECES && strstr(o->err, "90 of 180 pieces are missing; for the list: "
                                                    "nemesis plan --status /"));
    o = play("plan --status %s", in_folder("plan"));
    CHECK(o->code == 0 && strstr(o->out, "--array=0,2,4,") && strstr(o->out, ",176,178\n"));
    o = play("status %s", in_folder("plan"));
    CHECK(o->code == ERROR_NOT_FOUND && strstr(o->err, "is a plan; nemesis plan --status"));
}

static void other_inputs_are_refused(void)
{
    REQUIRE(open_world() && make_plan(&lines[0], 2, "plan"));
    REQUIRE(play("dissect -m %s -l conv22 -d %s -b 2 -t 1 -q --limit 4 --overwrite -o %s",
                 play_blob, play_probe, in_folder("clean"))
                ->code == 0);
    const Outcome *o = play("shard %s 0 -t 1 -q", in_folder("plan"));
    CHECK(o->code == ERROR_DATA && strstr(o->err, "when the plan was made"));
}

static void other_kernels_are_refused_by_name(void)
{
    char path[LIMIT_PATH];
    REQUIRE(open_world() && make_plan(&lines[0], 1, "plan"));
    Bytes bytes = {0};
    snprintf(path, sizeof path, "%s", in_folder("plan/plan.json"));
    REQUIRE(file_read(path, SIZE_MAX, &bytes, NULL));
    char *copy = memory_text((const char *)bytes.data, NULL);
    REQUIRE(copy != NULL);
    char *at = strstr(copy, "\"kernels\": \"") + 12;
    *at      = *at == 'a' ? 'x' : 'a';
    CHECK(file_publish(path, copy, bytes.size, NULL));
    const Outcome *o = play("shard %s 0 -t 1 -q", in_folder("plan"));
    CHECK(o->code == ERROR_DATA && strstr(o->err, "the kernels of this machine are "));
    memory_free(copy);
    bytes_close(&bytes);
}

static void bad_words_are_refused(void)
{
    REQUIRE(open_world());
    const char *clean = in_folder("clean"), *plan = in_folder("plan");
    CHECK(play("plan")->code == ERROR_USAGE);
    CHECK(play("plan attack %s -u 0 -o %s", clean, plan)->code == ERROR_USAGE);
    CHECK(play("plan attack %s -u 0 --shards 2 --resume -o %s", clean, plan)->code == ERROR_USAGE);
    CHECK(play("plan attack %s -u 0 --shards 2 --eps x -o %s", clean, plan)->code == ERROR_USAGE);
    CHECK(play("plan mini --images 3 --shards 2 -o %s", plan)->code == ERROR_USAGE);
    CHECK(play("plan --status %s", plan)->code == ERROR_NOT_FOUND);
    CHECK(play("shard %s 0", plan)->code == ERROR_NOT_FOUND && !file_exists(plan));
    REQUIRE(make_plan(&lines[0], 2, "plan"));
    CHECK(play("shard %s 2", plan)->code == ERROR_USAGE);
    CHECK(play("shard %s x", plan)->code == ERROR_USAGE);
    CHECK(play("plan attack %s -u 0 --shards 2 -o %s", clean, plan)->code == ERROR_CREATE);
}

SUITE(shards)
{
    RUN(a_sweep_in_any_number_of_pieces_has_the_bytes_of_one_run);
    RUN(a_clean_run_in_any_number_of_pieces_has_the_bytes_of_one_run);
    RUN(captions_in_any_number_of_pieces_have_the_bytes_of_one_run);
    RUN(studies_of_maps_in_pieces_have_the_bytes_of_one_run);
    RUN(the_same_piece_twice_at_a_time);
    RUN(a_piece_that_dies_anywhere_is_made_up_for);
    RUN(a_damaged_piece_is_named_and_made_again);
    RUN(a_foreign_piece_is_named);
    RUN(a_forged_piece_is_refused);
    RUN(shares_are_all_of_the_work_and_cut_no_group);
    RUN(what_is_missing_is_listed);
    RUN(a_long_list_is_told_by_status);
    RUN(other_inputs_are_refused);
    RUN(other_kernels_are_refused_by_name);
    RUN(bad_words_are_refused);
}
