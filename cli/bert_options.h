/* cli/bert_options.h - --bert, --bert-baseline and --idf of verbs that compare descriptions. */
#ifndef CLI_BERT_OPTIONS_H
#define CLI_BERT_OPTIONS_H

#include "../nem/bertscore.h"
#include "../nem/method.h"
#include "run.h"

#define OPTIONS_BERT                                                                               \
    {.name   = "bert",                                                                             \
     .kind   = ARGUMENT_TEXT,                                                                      \
     .offset = offsetof(Settings, bert),                                                           \
     .value  = "FILE.nw",                                                                          \
     .help   = "an encoder of RoBERTa with its vocabulary: descriptions are compared by F1-BERT"},   \
    {                                                                                              \
        .name = "bert-baseline", .kind = ARGUMENT_TEXT,                                            \
        .offset = offsetof(Settings, bert_baseline), .value = "FILE",                              \
        .help = "what F1-BERT is rescaled by, a table LAYER,P,R,F (default: that of the "          \
                "published model of this shape)"                                                   \
    }

/* The encoder, NULL where none is named; a note where values stay raw. Errors: ERROR_USAGE (another
 * of these options without --bert), those of bertscore_open. */
bool bert_open(const Settings *settings, BertScore **out, Error *error);

/* One line on what F1-BERT is here: model, block, whether it is rescaled. */
void bert_told(const BertScore *bert, char out[128]);

/* The measure that changes of descriptions get beside their own (B16). */
Likeness bert_likeness(BertScore *bert);

/* What of it decides results: its digest, its baseline, idf. `bert` may be NULL. */
void bert_identify(BertScore *bert, const Settings *settings, Identity *identity);

/* The object "bert" of a document; path as run_path has it, if `run` is not NULL. */
void bert_json(BertScore *bert, const Settings *settings, const Run *run, JsonWriter *json);

#endif
