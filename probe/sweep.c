/* probe/sweep.c - one run over a set that goes on where it was killed, for work whose state is a
 * few arrays. A checkpoint has the parts
 *     images that are done; the pass's extra; the state. */
#include "stream.h"

#include <assert.h>

enum { STATE_PARTS = 6 };

typedef struct Sweep {
    const Pass  *pass;
    int64_t      next, total;
    SnapshotPart parts[2 + STATE_PARTS];
    int64_t      count;
} Sweep;

static bool pause_sweep(void *self, int64_t next, Error *error)
{
    Sweep      *sweep = self;
    const Pass *pass  = sweep->pass;
    bool        stop  = pass_cancelled(pass);
    sweep->next       = next;
    if (pass_saves(pass, stop) && !checkpoint_save(pass->checkpoint, pass->file, pass->phase,
                                                   sweep->parts, sweep->count, error))
        return false;
    return !stop || pass_interrupted(pass, next, sweep->total, error);
}

static bool load_sweep(Sweep *sweep, Error *error)
{
    const Pass *pass = sweep->pass;
    bool        found;
    if (!checkpoint_restore(pass->checkpoint, pass->file, pass->phase, sweep->parts, sweep->count,
                            &found, error))
        return false;
    return !found || (sweep->next >= 0 && sweep->next <= sweep->total) ||
           checkpoint_refuse(pass->checkpoint, pass->file, error);
}

bool stream_sweep(const Inputs *inputs, const ImageSource *images, const Pass *pass,
                  StreamTake *take, void *take_self, const SnapshotPart *state, int state_count,
                  Error *error)
{
    Sweep  sweep  = {.pass = pass, .total = inputs->probe->image_count, .count = 2 + state_count};
    Stream stream = {0};
    assert(state_count <= STATE_PARTS);
    sweep.parts[0] = (SnapshotPart){&sweep.next, sizeof sweep.next};
    sweep.parts[1] = (SnapshotPart){pass->extra, pass->extra_size};
    for (int i = 0; i < state_count; i++)
        sweep.parts[2 + i] = state[i];
    bool done = stream_open(&stream, inputs, images, pass, error) && load_sweep(&sweep, error) &&
                stream_run(&stream, 1, sweep.next, take, take_self, pause_sweep, &sweep, error);
    stream_close(&stream);
    return done;
}
