/* models/embedded.h - blobs that are part of the program, so that methods which describe by words
 * work without any download: small networks trained on the mini world (models/zoo/README.md).
 *
 *     clip        a pair of towers, clip_mini
 *     captioner   a captioner of MILAN's architecture with its language model and encoder */
#ifndef MODELS_EMBEDDED_H
#define MODELS_EMBEDDED_H

#include "../engine/blob.h"

/* The bytes of a blob by its name, which is that of the option it stands in for; NULL: there is
 * none. */
const void *embedded_blob(const char *name, size_t *size);

/* Opens one; its path in messages is "built-in NAME". Errors: ERROR_USAGE (none of that name). */
bool embedded_open(const char *name, WeightBlob **out, Error *error);

/* The file, or where it is NULL the blob of that name. */
bool blob_open_or_embedded(const char *path, const char *name, WeightBlob **out, Error *error);

#endif
