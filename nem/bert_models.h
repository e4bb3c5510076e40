/* nem/bert_models.h - which published encoder a blob is, which of its layers BERTScore reads, and
 * what its values are rescaled by. */
#ifndef NEM_BERT_MODELS_H
#define NEM_BERT_MODELS_H

#include "../engine/blob.h"
#include "bertscore.h"

typedef struct BertModel {
    const char *name;  // "" of a shape that was not published
    int         layer; // how many blocks before the vectors are read
    bool        has_baseline;
    BertValues  baseline;
} BertModel;

/* Follows from the shape of the blob, unless the options say otherwise (B3, B7). Errors: ERROR_DATA
 * (too few blocks; a file of baselines without that layer). */
bool bert_model_of(const WeightBlob *blob, const BertOptions *options, BertModel *out,
                   Error *error);

#endif
