/* tests/drawn_network.h - networks of the references in tests/parity/golden, drawn from the
 * generator. */
#ifndef TESTS_DRAWN_NETWORK_H
#define TESTS_DRAWN_NETWORK_H

#include "blob_builder.h"

enum { DRAWN_SEED = 1 };

/* Adds what a reference's line `tensor NAME CENTRE SPREAD SHAPE...` says; `text` is the line
 * without its first word and is changed. Returns the tensor's name, or NULL if that is no such
 * line. */
const char *drawn_tensor(BlobBuilder *builder, char *text);

/* Adds to the text about the network what a line `about KEY VALUE` says, likewise. */
bool drawn_about(BlobBuilder *builder, char *text);

/* The network of tests/parity/golden/NAME-relu.txt as a blob for side x side pixels. */
bool drawn_network(const char *name, int64_t side, const char *path);
/* The same with another line in its text about the network. */
bool drawn_network_with(const char *name, int64_t side, const char *key, const char *value,
                        const char *path);

#endif
