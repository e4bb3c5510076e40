/* bench/bench.h - what the verbs share: options, timing, the measured peak, rows of a table.
 *
 * Everything is measured on seeded random weights and pictures, so no file is needed. Times are
 * wall time of whole calls; a row holds the best, the median and the 90th percentile of its runs,
 * the arithmetic rate of a direct convolution, its share of the peak measured in the same process
 * at the same thread count, and how far the result is from a reference. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "../attack/map_attack.h"
#include "../training/training.h"

typedef struct Options {
    const char *arch, *upto, *probe; // upto NULL: the logits; probe NULL: a generated set
    bool        input_gradient, json;
    int         objective;    // of OBJECTIVE_NAMES; past its last: one after another
    int64_t     batch, limit; // limit: images of a probing set
    int         runs;         // batch and runs 0: what the row has of its own
    ConvMethod  conv;
    int64_t     unit;    // of model_open; -1: all
    const char *row;     // NULL, or the only row of a verb that is wanted
    const char *title;   // NULL, or what the short table calls that row
    double      flops;   // an image, of a row that does not know
    const char *against; // NULL, or whom to take turns with
    const char *only;    // NULL, or what the names of rows must contain
    bool        all, list;
} Options;

/* One verb: measures and prints. Errors: ERROR_USAGE, ERROR_MEMORY, files of the probing set. */
typedef bool Verb(const Options *options, Error *error);
Verb bench_gemm, bench_conv, bench_model, bench_decode, bench_dissect, bench_attack, bench_train,
    bench_attribute, bench_manipulate, bench_milan, bench_embed, bench_bertscore;

/* The rows people come for; all rows of all verbs; rows measured in turns with another program. */
Verb bench_table, bench_all, bench_against;

/* ---- time ------------------------------------------------------------------------------------ */

typedef struct Timing {
    double best, median, p90; // ms on the clock
    double cpu;               // least ms of all cores together; what a busy machine distorts less
} Timing;

/* From wall and processor times of `count` runs; sorts both. The 90th percentile is the smallest
 * run that nine in ten do not exceed, so never below the median. */
Timing timing_of(double *ms, double *cpu, int count);

/* How long threads of a process (0: this one) had a core, and how long they were ready and waited
 * for one. Waiting is -1 where the system does not tell. */
typedef struct CoreTime {
    double had, waited; // seconds
} CoreTime;

CoreTime core_time(int64_t process);
/* Of the time the threads could run, the share that others had their cores; -1: not known. */
double core_time_shared(CoreTime before, CoreTime after);
#define SHARED_LEAST 0.1 // from here on a row says that cores were shared

Timing timing_scaled(Timing timing, double factor);
double clock_cpu_seconds(void); // of this process, all threads

/* ---- peak ------------------------------------------------------------------------------------ */

/* GFLOP/s of a loop of fused multiply-adds on registers, all threads, kernels in use: the largest
 * figure this process has seen. Each thread is timed by its processor time, so a busy machine does
 * not lower it. peak_measure looks once more. */
void   peak_measure(void);
double peak_gflops(void);

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct Figure {
    const char *name; // in JSON; units in the name
    double      value;
} Figure;

enum { ROW_FIGURES = 9 };

typedef struct Row {
    char   verb[16], name[80]; // name: unique among the rows of a verb
    Timing ms;                 // an image
    double flops;              // an image; 0: does not apply
    int    threads;
    Figure figures[ROW_FIGURES]; // the verb's own columns; a NULL name ends them
    bool   knows_shared;
    double shared; // core_time_shared of the runs
} Row;

typedef void Work(void *data);

/* Runs work once unmeasured, then `runs` times; short work is repeated inside a run. Fills ms (a
 * call) and shared. */
bool row_time(Row *row, int runs, Work *work, void *data, Error *error);

/* One line: aligned text, or a JSON object with at least name, ms_per_image, images_per_second,
 * gflops, peak_gflops, threads, isa. */
void row_print(const Options *options, const Row *row);
/* Measures the peak anew and prints the line above rows of a verb (text only). */
void row_header(const Options *options, const char *title);
/* The line above the rows of the short table, and what is to be said once below them. */
void table_header(const Options *options);
void table_footer(const Options *options);
bool row_wanted(const Options *options, const char *name);

/* Runs a plan again, step by step, and prints what each kind of step took; text only. */
void profile_plan(const Plan *plan, int runs);

/* What is being measured, on stderr if that is a terminal; NULL: nothing any more. */
void progress(const char *text);

/* ---- material -------------------------------------------------------------------------------- */

/* Uniform in centre +- spread, from the counter-based generator. */
void material_fill(real *values, size_t count, const char *purpose, real centre, real spread);

/* A blob of random weights for an architecture; it ends at `upto` where that is a convolution of a
 * VGG network or a stage of a ResNet. Errors: ERROR_USAGE (the message lists what there is). */
bool material_blob(WeightBlob **out, const Options *options, Error *error);
bool material_save(const Options *options, const char *path, Error *error); // the same as a file

/* A folder below TMPDIR (default /tmp), and its removal with all it holds. It also goes when the
 * program ends without that, killed or not. */
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

bool   model_open(Model *out, WeightBlob *blob, const Options *options, int64_t batch,
                  ConvMethod conv, Error *error);
void   model_close(Model *model);       // accepts a zeroed object
double model_flops(const Model *model); // of a run

/* A training on drawn weights and random pictures of 32x32 in ten classes; with softplus, but for
 * cross-entropy alone. */
typedef struct TrainWork {
    TrainingSet set;
    WeightBlob *blob;
    Trainer    *trainer;
    Error       error; // of a step
} TrainWork;

bool   train_open(TrainWork *work, const char *arch, int objective, int64_t batch, Error *error);
void   train_close(TrainWork *work);       // accepts a zeroed object
void   train_step(void *work);             // a Work
double train_flops(const TrainWork *work); // of a step

/* An attack on the map of one image, with softplus; the image at hand is another one than the one
 * it began with, so that both terms of the loss count. */
typedef struct MapWork {
    Graph    *graph;
    Map       map;
    MapAttack attack;
    real      low[3], high[3];
    Error     error; // of a step
} MapWork;

enum { MAP_BETA = 30 };

bool   map_work_open(MapWork *work, WeightBlob *blob, const char *method, ConvMethod conv,
                     Error *error);
void   map_work_close(MapWork *work);       // accepts a zeroed object
void   map_work_step(void *work);           // a Work
double map_work_flops(const MapWork *work); // of a step

/* The image it begins with and the one at hand, [values]. */
void map_work_images(real *clean, real *moved, size_t values);

#endif
