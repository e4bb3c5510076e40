/* bench/bench.h - what the verbs share: options, timing, the measured peak, rows of a table.
 *
 * Everything is measured on seeded random weights and pictures, so no file is needed. Times are wall
 * time of whole calls; a row holds the best, the median and the 90th percentile of its runs, the
 * arithmetic rate of a direct convolution, its share of the peak measured in the same process at the
 * same thread count, and how far the result is from a reference. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "../models/models.h"

typedef struct Options {
    const char *arch, *upto, *probe; // upto NULL: the logits; probe NULL: a generated set
    bool        input_gradient, json;
    int64_t     batch, limit; // limit: images of a probing set
    int         runs;
    ConvMethod  conv;
} Options;

/* One verb: measures and prints. Errors: ERROR_USAGE, ERROR_MEMORY, files of the probing set. */
typedef bool Verb(const Options *options, Error *error);
Verb bench_gemm, bench_conv, bench_model, bench_decode, bench_dissect, bench_attack;

/* ---- time --------------------------------------------------------------------------------------- */

typedef struct Timing {
    double best, median, p90; // ms on the clock
    double cpu;               // least ms of all cores together; what a busy machine distorts less
} Timing;

typedef void Work(void *data);

/* Runs work once unmeasured, then `runs` times; short work is repeated inside a run. */
bool timing_measure(Timing *out, int runs, Work *work, void *data, Error *error);
/* From wall and processor times of `count` runs; sorts both. */
Timing timing_of(double *ms, double *cpu, int count);
double clock_cpu_seconds(void); // of this process, all threads
Timing timing_scaled(Timing timing, double factor);

/* ---- peak --------------------------------------------------------------------------------------- */

/* GFLOP/s of a loop of fused multiply-adds on registers, all threads, kernels in use: the largest
 * figure this process has seen. peak_measure looks once more. */
void   peak_measure(void);
double peak_gflops(void);

/* ---- rows --------------------------------------------------------------------------------------- */

typedef struct Figure {
    const char *name; // in JSON; units in the name
    double      value;
} Figure;

enum { ROW_FIGURES = 8 };

typedef struct Row {
    char   verb[16], name[80]; // name: unique among the rows of a verb
    Timing ms;                 // an image
    double flops;              // an image; 0: does not apply
    int    threads;
    Figure figures[ROW_FIGURES]; // the verb's own columns; a NULL name ends them
} Row;

/* One line: aligned text, or a JSON object with at least name, ms_per_image, images_per_second,
 * gflops, peak_gflops, threads, isa. */
void row_print(const Options *options, const Row *row);
/* Measures the peak anew and prints the line above rows of a verb (text only). */
void row_header(const Options *options, const char *title);

/* ---- material ------------------------------------------------------------------------------------- */

/* Uniform in centre +- spread, from the counter-based generator. */
void material_fill(real *values, size_t count, const char *purpose, real centre, real spread);

/* A blob of random weights for an architecture; it ends at `upto` where that is a convolution of a VGG
 * network or a stage of a ResNet. Errors: ERROR_USAGE (the message lists what there is). */
bool material_blob(WeightBlob **out, const Options *options, Error *error);

/* A folder below TMPDIR (default /tmp), and its removal with all it holds. */
bool folder_temporary(char out[LIMIT_PATH], Error *error);
void folder_discard(const char *path);

/* The network of the options at a batch, with an objective and its gradient where asked for. */
typedef struct Model {
    WeightBlob *blob; // not owned
    Graph      *graph;
    Plan       *plan;
    Network     network;
    NodeId      gradient; // d sum(layer) / d pixels, or NODE_NONE
} Model;

bool model_open(Model *out, WeightBlob *blob, const Options *options, int64_t batch, ConvMethod conv,
                Error *error);
void model_close(Model *model); // accepts a zeroed object
double model_flops(const Model *model); // of a run

#endif
