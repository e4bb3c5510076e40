/* text/join.c - see join.h. */
#include "join.h"

bool joiner_reserve(Joiner *joiner, size_t bytes, Error *error)
{
    if (bytes <= joiner->room)
        return true;
    joiner_free(joiner);
    size_t room    = bytes + 64;
    joiner->pieces = memory_new(room, sizeof *joiner->pieces, error);
    joiner->queue  = memory_new(3 * room, sizeof *joiner->queue, error);
    joiner->made   = memory_new(room, sizeof *joiner->made, error);
    if (!joiner->pieces || !joiner->queue || !joiner->made) {
        joiner_free(joiner);
        return false;
    }
    joiner->room = room;
    return true;
}

void joiner_free(Joiner *joiner)
{
    memory_free(joiner->pieces);
    memory_free(joiner->queue);
    memory_free(joiner->made);
    *joiner = (Joiner){0};
}

/* ---- the queue ------------------------------------------------------------------------------- */

static bool comes_first(Candidate a, Candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void queue_put(Candidate *queue, int32_t *count, Candidate candidate)
{
    int32_t at = (*count)++;
    for (; at > 0 && comes_first(candidate, queue[(at - 1) / 2]); at = (at - 1) / 2)
        queue[at] = queue[(at - 1) / 2];
    queue[at] = candidate;
}

static Candidate queue_take(Candidate *queue, int32_t *count)
{
    Candidate top = queue[0], last = queue[--*count];
    int32_t   at = 0, child;
    while ((child = 2 * at + 1) < *count) {
        if (child + 1 < *count && comes_first(queue[child + 1], queue[child]))
            child++;
        if (!comes_first(queue[child], last))
            break;
        queue[at] = queue[child];
        at        = child;
    }
    queue[at] = last;
    return top;
}

/* ---- joining --------------------------------------------------------------------------------- */

// A join offers two pairs at most and takes one candidate, so the queue has seen at most three
// candidates for each byte of a word when nothing is left.
static void offer(Joiner *joiner, const Merges *merges, int32_t *queued, int32_t at)
{
    if (at < 0 || joiner->pieces[at].after < 0)
        return;
    const Piece *piece = &joiner->pieces[at];
    int32_t      rank  = merges_rank(merges, piece->id, joiner->pieces[piece->after].id);
    if (rank >= 0)
        queue_put(joiner->queue, queued, (Candidate){rank, at});
}

// False if one of the two is no longer what it was when the pair was offered.
static bool join_pair(Piece *pieces, const Merge *merge, int32_t at)
{
    Piece *left = &pieces[at];
    if (left->id != merge->left || left->after < 0 || pieces[left->after].id != merge->right)
        return false;
    Piece *right = &pieces[left->after];
    left->id     = merge->whole;
    left->after  = right->after;
    right->id    = -1;
    if (left->after >= 0)
        pieces[left->after].before = at;
    return true;
}

int32_t joiner_join(Joiner *joiner, const Merges *merges, int32_t count, int32_t *ids)
{
    Piece  *pieces = joiner->pieces;
    int32_t queued = 0, left = 0;
    for (int32_t at = 0; at < count; at++) {
        pieces[at].before = at - 1;
        pieces[at].after  = at + 1 < count ? at + 1 : -1;
    }
    for (int32_t at = 0; at < count; at++)
        offer(joiner, merges, &queued, at);
    while (queued > 0) {
        int32_t rank = joiner->queue[0].rank, made = 0;
        while (queued > 0 && joiner->queue[0].rank == rank) {
            Candidate candidate = queue_take(joiner->queue, &queued);
            if (join_pair(pieces, &merges->list[rank], candidate.at))
                joiner->made[made++] = candidate.at;
        }
        for (int32_t i = 0; i < made; i++) {
            offer(joiner, merges, &queued, pieces[joiner->made[i]].before);
            offer(joiner, merges, &queued, joiner->made[i]);
        }
    }
    for (int32_t at = 0; at >= 0 && at < count; at = pieces[at].after)
        ids[left++] = pieces[at].id;
    return left;
}
