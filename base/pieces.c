/* base/pieces.c - see pieces.h. */
#include "pieces.h"

bool pieces_load(const Pieces *pieces, int64_t index, Snapshot *out, Error *error)
{
    return pieces->load(pieces->self, pieces->first + index, out, error);
}

bool pieces_save(const Pieces *pieces, const SnapshotPart *parts, int64_t count, Error *error)
{
    return pieces->save(pieces->self, parts, count, error);
}

bool pieces_refuse(const Pieces *pieces, int64_t index, Error *error)
{
    return fail(error, ERROR_DATA, "%s/%lld-*: does not fit this run; remove it and make it again",
                pieces->folder, (long long)(pieces->first + index));
}
