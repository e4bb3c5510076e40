/* text/split.h - the patterns that cut a text into words before bytes are joined. */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include "../base/base.h"

/* The next word at or after *start: sets *start and *end; false if there is none. Every call takes
 * time in proportion to what it steps over. */
typedef bool SplitRule(const uint32_t *points, size_t count, size_t *start, size_t *end);

/* CLIP, simple_tokenizer.py: names of special tokens, English endings, runs of letters, single
 * numbers, runs of anything else; spaces are left out.
 *   <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ */
SplitRule split_clip;

/* GPT-2, encoder.py, and RoBERTa: one space belongs to the word behind it, and nothing is left out.
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
SplitRule split_gpt2;

#endif
