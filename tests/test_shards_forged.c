/* tests/test_shards_forged.c - pieces with the right key and digest, and numbers that nobody
 * computed: what reads them refuses them or takes them as numbers, and never crashes. */
#include "play_shards.h"
#include "program.h"
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FEW = 5, MANY = 70, PARTS = 6 };

typedef enum Fill { FILL_ONES, FILL_RANDOM, FILL_SHORT, FILLS } Fill;

typedef struct Forged {
    const char *plan;
    Shards      shards;
    int64_t     first[PLAY_PHASES + 1];
    int         phases;
    Random      random;
    int         refused, taken;
} Forged;

static bool is_outcome(Forged *forged, const Outcome *o)
{
    forged->taken += o->code == 0;
    forged->refused += o->code == ERROR_DATA;
    return o->code == 0 || (o->code == ERROR_DATA && strstr(o->err, "does not fit this run"));
}

// By the first piece of the next phase, or by whoever puts pieces together.
static bool is_read(Forged *forged, int phase)
{
    bool is_last = phase + 1 == forged->phases;
    if (is_last) {
        play_remove(in_folder("merged"));
        return is_outcome(forged, play("merge %s -o %s -t 1 -q", in_folder("%s", forged->plan),
                                       in_folder("merged")));
    }
    Piece piece;
    return shards_find(&forged->shards, forged->first[phase + 1], &piece, NULL) &&
           file_remove(in_folder("%s/pieces/%s", forged->plan, piece.name), NULL) &&
           is_outcome(forged, play("shard %s %lld -t 1 -q", in_folder("%s", forged->plan),
                                   (long long)forged->first[phase + 1]));
}

static void fill(Forged *forged, Fill how, uint8_t *bytes, SnapshotPart *part)
{
    memset(bytes, 0xff, part->size);
    for (size_t i = 0; how == FILL_RANDOM && i < part->size; i++)
        bytes[i] = (uint8_t)random_word(&forged->random);
    part->data = bytes;
    if (how == FILL_SHORT)
        part->size--;
}

static bool forge_part(Forged *forged, int phase, int64_t piece, const Snapshot *good, int64_t part,
                       Fill how)
{
    SnapshotPart *parts = memory_new((size_t)good->count, sizeof *parts, NULL);
    uint8_t      *bytes = memory_new(good->parts[part].size, 1, NULL);
    Piece         found;
    bool          ok = parts && bytes;
    if (ok) {
        memcpy(parts, good->parts, (size_t)good->count * sizeof *parts);
        fill(forged, how, bytes, &parts[part]);
        ok = shards_find(&forged->shards, piece, &found, NULL) &&
             file_remove(in_folder("%s/pieces/%s", forged->plan, found.name), NULL) &&
             play_forge(forged->plan, piece, parts, good->count) && is_read(forged, phase);
    }
    memory_free(parts);
    memory_free(bytes);
    return ok;
}

// All pieces again as they were made.
static bool put_back(const Forged *forged)
{
    play_remove(forged->shards.folder);
    return play_copy_tree(in_folder("kept"), forged->shards.folder);
}

/* Of the first piece of each phase, one part at a time. */
__attribute__((format(printf, 2, 3))) static void check_forgeries(int shards, const char *format,
                                                                  ...)
{
    char    words[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    Forged forged = {.plan = "plan", .random = random_stream(test_seed(), "forged")};
    REQUIRE(play_plan(words, shards, "plan") && play_shards("plan"));
    REQUIRE(play_pieces("plan", &forged.shards));
    forged.phases = play_phases("plan", forged.first);
    REQUIRE(forged.phases > 0);
    REQUIRE(file_rename(forged.shards.folder, in_folder("kept"), NULL));
    for (int phase = 0; phase < forged.phases; phase++) {
        Snapshot good = {0};
        Piece    found;
        int64_t  piece = forged.first[phase];
        REQUIRE(put_back(&forged));
        REQUIRE(shards_load(&forged.shards, piece, &found, &good, NULL));
        for (int64_t part = 0; part < good.count && part < PARTS; part++)
            for (Fill how = 0; how < FILLS; how++) {
                REQUIRE(put_back(&forged));
                if (good.parts[part].size &&
                    !CHECK(forge_part(&forged, phase, piece, &good, part, how)))
                    printf("  phase %d, part %lld, forged as %d\n", phase, (long long)part, how);
            }
        snapshot_close(&good);
    }
    play_remove(in_folder("kept"));
    play_remove(in_folder("plan"));
    CHECK(forged.refused > 0);
    printf("  %d refused, %d taken as numbers\n", forged.refused, forged.taken);
}

static void sweeps(void)
{
    REQUIRE(play_inputs(FEW));
    char clean[LIMIT_PATH];
    snprintf(clean, sizeof clean, "%s", in_folder("clean"));
    REQUIRE(play("dissect -m %s -l conv22 -d %s -b 2 -t 1 -q -o %s", play_blob, play_probe, clean)
                ->code == 0);
    check_forgeries(2, "attack %s -u 0-2 --steps 2 --eps 0.1,0.2 --store float", clean);
    check_forgeries(2, "noise %s --type gaussian --std 0.2,0.3 --store float", clean);
}

static void clean_runs(void)
{
    char set[LIMIT_PATH];
    snprintf(set, sizeof set, "%s", in_folder("drawn"));
    REQUIRE(play("mini --images %d -q -o %s", MANY, set)->code == 0);
    check_forgeries(2, "dissect -m demo/mini.nw -l conv1_2 -d %s -b 8", set);
    check_forgeries(2, "describe %s -m demo/mini.nw -l conv1_2 -d %s -b 8", play_words(), set);
}

static void captions(void)
{
    REQUIRE(play_inputs(FEW));
    check_forgeries(2, "describe --method milan --captioner %s -m %s -l conv22 -d %s",
                    play_captioner(), play_blob, play_probe);
}

static void studies_of_maps(void)
{
    REQUIRE(play_inputs(FEW));
    check_forgeries(2,
                    "manipulate -m %s --pairs 2 -d %s --method gradient,lrp --steps 2 "
                    "--store float",
                    play_blob, play_probe);
    check_forgeries(1, "robustness -m demo/mini.nw -d mini:4:3 --method gradient --measures rps "
                       "--eps 4/255 --draws 1 --similarities cosine");
}

SUITE(shards_forged)
{
    RUN(sweeps);
    RUN(clean_runs);
    RUN(captions);
    RUN(studies_of_maps);
}
