/* tests/play_shards.c - see play_shards.h. */
#include "play_shards.h"
#include "../base/digest.h"
#include "program.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool play_plan(const char *words, int shards, const char *plan)
{
    const Outcome *o =
        play("plan %s --shards %d -o %s -t 1 -q", words, shards, in_folder("%s", plan));
    if (o->code)
        printf("  plan: %s", o->err);
    return o->code == 0;
}

int play_shard(const char *plan, int64_t piece)
{
    return play("shard %s %lld -t 1 -q", in_folder("%s", plan), (long long)piece)->code;
}

int play_phases(const char *plan, int64_t first[PLAY_PHASES + 1])
{
    const Outcome *o     = play("plan --status %s --json", in_folder("%s", plan));
    int            count = 0;
    for (const char *at = o->code ? NULL : o->out;
         at && count < PLAY_PHASES && (at = strstr(at, "\"first\": ")); at++) {
        first[count++] = strtol(at + 9, NULL, 10);
        first[count]   = first[count - 1] + strtol(strstr(at, "\"pieces\": ") + 10, NULL, 10);
    }
    return count;
}

bool play_shards(const char *plan)
{
    int64_t first[PLAY_PHASES + 1];
    int     phases = play_phases(plan, first);
    bool    ok     = phases > 0;
    for (int phase = 0; phase < phases; phase++)
        for (int64_t i = first[phase + 1] - 1; ok && i >= first[phase]; i--)
            ok = play_shard(plan, i) == 0;
    return ok;
}

bool play_pieces(const char *plan, Shards *out)
{
    Bytes bytes = {0};
    char  key[65];
    if (!file_read(in_folder("%s/plan.json", plan), SIZE_MAX, &bytes, NULL))
        return false;
    sha256_of(bytes.data, bytes.size, key);
    bytes_close(&bytes);
    return shards_open(out, in_folder("%s/pieces", plan), key, NULL);
}

static bool begin_nothing(void *self, Error *error)
{
    (void)self;
    (void)error;
    return true;
}

bool play_forge(const char *plan, int64_t piece, const SnapshotPart *parts, int64_t count)
{
    Shards shards;
    char   stage[PIECE_STAGE];
    if (!play_pieces(plan, &shards))
        return false;
    shards_stage(piece, stage);
    Checkpoint checkpoint = {.folder = test_folder(), .key = shards.key, .begin = begin_nothing};
    return checkpoint_save(&checkpoint, "forged", stage, parts, count, NULL) &&
           shards_publish(&shards, piece, in_folder("forged"), NULL);
}
