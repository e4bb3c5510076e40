/* tests/small_captioner.h - a drawn captioner of twenty words that looks at images of 32 x 32. */
#ifndef TESTS_SMALL_CAPTIONER_H
#define TESTS_SMALL_CAPTIONER_H

#include "blob_builder.h"

enum { SMALL_WORDS = 20, SMALL_FEATURES = 14, SMALL_BEAM = 5, SMALL_LENGTH = 6 };

/* To be changed or saved, and freed; its encoder is `mini`. */
BlobBuilder *small_captioner(void);
/* The same but for the shape of one tensor; `words` is left out. */
BlobBuilder *small_captioner_with(const char *name, Shape shape);

#endif
