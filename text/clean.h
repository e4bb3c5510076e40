/* text/clean.h - what CLIP does to a text before it is cut into words. */
#ifndef TEXT_CLEAN_H
#define TEXT_CLEAN_H

#include "../base/base.h"

/* HTML entities resolved twice, runs of white space made one space, none at the ends, lower case.
 * `points` is changed; the result, at most 2 * count code points, is in `out`. Returns its number.
 * Source: CLIP, simple_tokenizer.py, basic_clean without ftfy.fix_text, and whitespace_clean. */
size_t text_clean(uint32_t *points, size_t count, uint32_t *out);

#endif
