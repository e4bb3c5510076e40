/* text/text_pool.h - texts with numbers: each is kept once, and found again by what it says. */
#ifndef TEXT_TEXT_POOL_H
#define TEXT_TEXT_POOL_H

#include "../base/base.h"

typedef struct TextPool {
    char   **text; // [room], the first `count` in use, owned
    int32_t  count, room;
    int32_t *slots;      // [slot_count] number + 1 by the hash of a text, 0: free
    uint32_t slot_count; // a power of two, at least twice as many as texts
} TextPool;

void text_pool_close(TextPool *pool); // accepts a zeroed object, which is an empty pool

/* The number of a text; -1: it is not there. */
int32_t text_pool_find(const TextPool *pool, const char *text);

/* Takes a text that is not there, of memory_new, and gives it the next number. Texts stay where
 * they are, the array of them may move, even on failure; the text is then still the caller's.
 * Errors: ERROR_MEMORY. */
bool text_pool_add(TextPool *pool, char *text, Error *error);

#endif
