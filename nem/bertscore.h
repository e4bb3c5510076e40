/* nem/bertscore.h - how alike two descriptions are in meaning: BERTScore, and its F1, "F1-BERT".
 *
 * Every token of a text becomes a vector by the encoder of RoBERTa, so that a token's vector knows
 * its sentence. A token of the candidate is as right as the most similar token of the reference
 * (cosine): their mean is the precision. The recall is the same from the reference's side, and F1
 * their harmonic mean. With idf a token that stands in many references counts less. Raw values lie
 * close together and high; rescaled by a baseline, unrelated texts have about 0 and equal ones 1.
 * Formulas and special cases: docs/methods/bertscore.md, B1 to B9. Source: Zhang et al.,
 * "BERTScore: evaluating text generation with BERT", ICLR 2020.
 *
 * A text is embedded once, however often it is compared, and alone, so that no score depends on
 * what else is scored. An object belongs to one thread at a time. */
#ifndef NEM_BERTSCORE_H
#define NEM_BERTSCORE_H

#include "../base/base.h"

typedef struct BertScore BertScore;

/* Zeroed: what `compare`, `agree` and the others use. */
typedef struct BertOptions {
    int  layer;    // after how many blocks; 0: as for the published model of this shape (B3)
    bool slow;     // the slow tokenizer, which puts a space before each text (B2)
    bool verbatim; // texts as they are; else lower case, without dots and blanks at their ends (B1)
    const char *baseline; // a file `LAYER,P,R,F` of baselines; NULL: those built in (B7)
} BertOptions;

/* Precision, recall and F1. Precision or recall is NaN where no token has a weight (B8). */
typedef struct BertValues {
    double precision, recall, f1;
} BertValues;

/* A blob of RoBERTa with its vocabulary and merges. Errors: ERROR_NOT_FOUND, ERROR_DATA (no such
 * network, fewer blocks than the layer), ERROR_MEMORY. `options` may be NULL. */
bool bertscore_open(BertScore **out, const char *path, const BertOptions *options, Error *error);
void bertscore_close(BertScore *self); // NULL allowed

const char *bertscore_sha256(BertScore *self);      // of the blob
const char *bertscore_model(const BertScore *self); // "roberta-large", ...; "" of no such shape
int         bertscore_layer(const BertScore *self);
bool        bertscore_has_baseline(const BertScore *self);

/* Embeds what is new among these texts, in one pass: far quicker than one by one. */
bool bertscore_read(BertScore *self, const char *const *texts, int64_t count, Error *error);

/* From here on a token's weight is log((count + 1) / (references that have it + 1)) (B5). Without a
 * call every token of a text counts the same, and the two around it nothing. */
bool bertscore_weigh(BertScore *self, const char *const *references, int64_t count, Error *error);

/* Raw values, each in -1..1, or 0 where a text is empty (B8). Of several references the largest
 * precision, recall and F1 count, each by itself (B9). */
bool bertscore_values(BertScore *self, const char *candidate, const char *const *references,
                      int64_t count, BertValues *out, Error *error);

/* (value - baseline) / (1 - baseline) each (B7); as they are without a baseline. */
BertValues bertscore_rescaled(const BertScore *self, BertValues raw);

/* F1 of one reference, rescaled where there is a baseline. */
bool bertscore_f1(BertScore *self, const char *candidate, const char *reference, double *out,
                  Error *error);

#endif
