/* base/turns.c - see turns.h. A number says whose turn it is; everyone else sleeps. */
#include "turns.h"

#include <pthread.h>

typedef enum TurnState { TURN_READY, TURN_WAITS, TURN_ENDED } TurnState;

struct Turns {
    const TurnsWork *work;
    pthread_mutex_t  mutex; // of `turn` alone; the rest belongs to whose turn it is
    pthread_cond_t   changed;
    int              turn; // -1: of nobody; `work->count`: of the caller
    bool             is_given_up;
    TurnState        state[TURNS_MOST];
};

typedef struct Player {
    Turns *turns;
    int    index;
} Player;

static void give_turn(Turns *turns, int index)
{
    pthread_mutex_lock(&turns->mutex);
    turns->turn = index;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->mutex);
}

static void await_turn(Turns *turns, int index)
{
    pthread_mutex_lock(&turns->mutex);
    while (turns->turn != index)
        pthread_cond_wait(&turns->changed, &turns->mutex);
    pthread_mutex_unlock(&turns->mutex);
}

// The first in a state; `count` if there is none.
static int first_in(const Turns *turns, TurnState state)
{
    int index = 0;
    while (index < turns->work->count && turns->state[index] != state)
        index++;
    return index;
}

// To the next who can go on, or to the caller when all have ended.
static void pass_turn(Turns *turns)
{
    const TurnsWork *work = turns->work;
    if (first_in(turns, TURN_READY) == work->count && first_in(turns, TURN_WAITS) < work->count) {
        work->meet(work->self);
        for (int i = 0; i < work->count; i++)
            if (turns->state[i] == TURN_WAITS)
                turns->state[i] = TURN_READY;
    }
    give_turn(turns, first_in(turns, TURN_READY));
}

void turns_meet(Turns *turns, int index)
{
    turns->state[index] = TURN_WAITS;
    pass_turn(turns);
    await_turn(turns, index);
}

static void *play(void *data)
{
    Player *player = data;
    Turns  *turns  = player->turns;
    await_turn(turns, player->index);
    if (!turns->is_given_up)
        turns->work->run(turns->work->self, turns, player->index);
    turns->state[player->index] = TURN_ENDED;
    pass_turn(turns);
    return NULL;
}

bool turns_run(const TurnsWork *work, Error *error)
{
    Turns     turns = {.work = work, .turn = -1};
    Player    players[TURNS_MOST];
    pthread_t threads[TURNS_MOST];
    int       started = 0;
    pthread_mutex_init(&turns.mutex, NULL);
    pthread_cond_init(&turns.changed, NULL);
    for (int i = 0; i < work->count; i++)
        players[i] = (Player){&turns, i};
    while (started < work->count &&
           pthread_create(&threads[started], NULL, play, &players[started]) == 0)
        started++;
    turns.is_given_up = started < work->count;
    for (int i = started; i < work->count; i++)
        turns.state[i] = TURN_ENDED;
    give_turn(&turns, first_in(&turns, TURN_READY));
    await_turn(&turns, work->count);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&turns.changed);
    pthread_mutex_destroy(&turns.mutex);
    return !turns.is_given_up ||
           fail(error, ERROR_MEMORY, "no thread for each of %d layers", work->count);
}
