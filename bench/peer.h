/* bench/peer.h - another program that does the same work in turns: a child behind two pipes. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "../base/base.h"

#include <stdio.h>

typedef struct PeerWork {
    const char *name, *folder;
    const char *arch, *upto; // arch NULL: the product [m, k] x [k, n]
    bool        is_training, input_gradient, is_aligned;
    int64_t     batch, m, n, k;
} PeerWork;

typedef struct Peer {
    int64_t process;
    FILE   *to, *from;
    bool    is_absent; // not installed; `about` says so in one sentence
    char    about[256];
    double  megabytes; // that its peak grew by since it was ready; 0: it does not say
} Peer;

/* Starts bench/peers/start.sh and waits until it is ready. Errors: ERROR_NOT_FOUND (no such
 * script), ERROR_IO (it ended without a word). */
bool peer_open(Peer *peer, const PeerWork *work, Error *error);
/* Has it run `repeats` times; *ms is of one. */
bool peer_turn(Peer *peer, int repeats, double *ms, Error *error);
void peer_close(Peer *peer); // ends it; accepts a zeroed object

#endif
