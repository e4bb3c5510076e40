/* tests/play_shards.h - plans, their pieces, and pieces that nobody made. */
#ifndef TESTS_PLAY_SHARDS_H
#define TESTS_PLAY_SHARDS_H

#include "../study/shards.h"
#include "play.h"

/* Plans are folders of the test's folder. `words`: the command of the run. */
bool play_plan(const char *words, int shards, const char *plan);
/* Does a piece; the exit code. */
int play_shard(const char *plan, int64_t piece);
/* Those of one phase in any order, here backwards. */
bool play_shards(const char *plan);

enum { PLAY_PHASES = 4 };

/* The first piece of each phase, and behind the last one how many pieces there are. Returns the
 * number of phases, 0: it cannot be told. */
int play_phases(const char *plan, int64_t first[PLAY_PHASES + 1]);

/* The pieces of a plan, with its own key. */
bool play_pieces(const char *plan, Shards *out);
/* Published as a piece of this plan, whatever is in it. */
bool play_forge(const char *plan, int64_t piece, const SnapshotPart *parts, int64_t count);

#endif
