/* base/share.h - which part of some work is done here: piece `index` of `count` pieces. */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include "base.h"

typedef struct Share {
    int64_t index, count; // index from 0; count 0: all of the work
} Share;

/* A run of neighbours, `first` to before `past`, of `things` things. Those of a group of `group`
 * stay together (1: none do). The shares of all indices are all things, none twice; where there are
 * fewer groups than pieces some are empty. */
void share_range(Share share, int64_t things, int64_t group, int64_t *first, int64_t *past);

#endif
