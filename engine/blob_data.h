/* engine/blob_data.h - the numbers of a weight blob's tensors: checked when it is opened, widened where
 * a graph cannot use them as they lie. */
#ifndef ENGINE_BLOB_DATA_H
#define ENGINE_BLOB_DATA_H

#include "blob.h"

/* Whether every tensor matches its checksum and holds finite numbers; tensors are looked at in
 * parallel, and of several bad ones the first is named. `path` is the blob in messages. */
bool blob_data_check(const BlobTensor *tensors, int count, const char *path, Error *error);

/* Numbers of type f16 or f32 as reals, out [elements]. */
void blob_data_widen(const BlobTensor *tensor, size_t elements, real *out);

#endif
