/* cli/describe.h - clean runs: of one layer, or of several from one pass over the images. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "run.h"

typedef struct DescribeRequest {
    const Verb     *verb;
    const Method   *method;
    const Settings *settings; // layer and out are those of one run
} DescribeRequest;

/* Claims the run's folder, opens weights and probing set (or shares those of `first`), and compares
 * with what is there. Both are to be closed, even when it fails. */
bool describe_begin(Run *run, RunInputs *inputs, const DescribeRequest *wanted,
                    const RunInputs *first, Error *error);
/* Writes the results, run.json last, and shows them. */
bool describe_publish(const Run *run, const RunInputs *inputs, const Evidence *evidence,
                      Error *error);
/* Says where they are. */
bool describe_tell(const DescribeRequest *wanted, Error *error);

/* settings->layer is a list with commas; a run folder for each is made in settings->out, called as
 * the layer. */
bool describe_layers(const DescribeRequest *wanted, Error *error);

/* Of a plan (sharing.h): its phases and estimate; one piece, for inputs that are loaded; the
 * evidence of all pieces. */
bool describe_plan(Run *run, RunInputs *inputs, Error *error);
bool describe_piece(Run *run, RunInputs *inputs, Error *error);
bool describe_merge(Run *run, RunInputs *inputs, Evidence **out, Error *error);

#endif
