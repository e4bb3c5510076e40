/* study/text_table.h - the different texts among many descriptions, and how alike two of them are.
 *
 * Texts are compared in a plain form: lower case, without dots and blanks at their ends (B1), and
 * names of Broden's as people would say them (B10): underscores are blanks, the marks of scenes
 * (-s) and colours (-c) at the end are gone. */
#ifndef STUDY_TEXT_TABLE_H
#define STUDY_TEXT_TABLE_H

#include "../nem/bertscore.h"
#include "../text/text.h"

typedef struct TextTable {
    int32_t    count;
    char     **texts;      // [count] plain, each once, in byte order
    int32_t  **words;      // [count][word_count] numbers of a text's words, increasing, each once
    int32_t   *word_count; // [count]
    BertScore *bert;       // NULL: none; belongs to the caller
    float     *known;      // [count, count] F1 that was computed already, else NaN; NULL: too many
} TextTable;

/* ids[i], out: the number of texts[i] in the table. `bert` may be NULL; it embeds all texts here.
 * Errors: ERROR_MEMORY, those of bertscore_read. */
bool text_table_open(TextTable *out, const char *const *texts, int64_t count, BertScore *bert,
                     int32_t *ids, Error *error);
void text_table_close(TextTable *table); // accepts a zeroed object

/* The plain form of one text; memory_free. */
bool text_table_plain(const char *text, char **out, Error *error);

/* Words that both texts have by words that one of them has, 0..1; 1 where neither has any (B11). */
double text_table_overlap(const TextTable *table, int32_t a, int32_t b);

/* F1-BERT, rescaled where there is a baseline, of candidate and reference. */
bool text_table_f1(TextTable *table, int32_t candidate, int32_t reference, double *out,
                   Error *error);

#endif
