/* base/share.c - see share.h. */
#include "share.h"

// Where the share of `index` begins, in groups: groups * index / count without overflow.
static int64_t begin_of(int64_t index, int64_t count, int64_t groups)
{
    return groups / count * index + groups % count * index / count;
}

void share_range(Share share, int64_t things, int64_t group, int64_t *first, int64_t *past)
{
    int64_t count = share.count ? share.count : 1, index = share.count ? share.index : 0;
    int64_t groups = (things + group - 1) / group;
    int64_t begin  = begin_of(index, count, groups) * group;
    int64_t end    = begin_of(index + 1, count, groups) * group;
    *first         = begin < things ? begin : things;
    *past          = end < things ? end : things;
}
