/* nem/milan/milan_private.h - what the files of this folder share; nobody else includes it. */
#ifndef NEM_MILAN_PRIVATE_H
#define NEM_MILAN_PRIVATE_H

#include "../../models/embedded.h"
#include "../../models/pyramid.h"
#include "../../probe/stream.h"
#include "../resample.h"
#include "../threshold.h"
#include "decode.h"
#include "milan.h"
#include "sketch.h"

/* ---- modes ----------------------------------------------------------------------------------- */

/* What a mode decides for MILAN. */
typedef struct MilanRules {
    bool is_sketched; // the level is the estimate of the published exemplars (N4), else exact
    bool is_rounded;  // pixels become the nearest byte, else the one below (N5)
    bool extra_stop;  // as in DecodeRules
} MilanRules;

enum { MILAN_MODES = 3, SKETCH_RESOLUTION = 8192 };
extern const Mode milan_modes[MILAN_MODES];

/* ---- what MILAN makes once for its inputs: Explainer.state ----------------------------------- */

/* A clean run that others are compared with. */
typedef struct MilanClean {
    RunRecord  record;
    Exemplars *exemplars; // [units]: counts and images alone
} MilanClean;

typedef struct Milan {
    const MilanRules *rules;
    WeightBlob       *captioner; // the file of --captioner, owned
    Resampler        *upward;    // from a map of the layer to the encoder's images, for masks (N3)
    Resampler        *smooth;    // the same for attacks, with ends that go on (N14)
    Resampler        *shown;     // to the size of the set's label maps, for pages
    Pyramid           pyramid;
    Decoder          *decoder;
    int64_t           exemplar_count; // of each unit
    int64_t           height, width;  // of the encoder's images, and of masks
    MilanClean        clean;
} Milan;

/* ---- first phase: exemplars and levels ------------------------------------------------------- */

/* One unit's exemplars so far, their maps, and what its level follows from. */
typedef struct UnitGathering {
    Exemplars exemplars;
    int64_t   slot[MILAN_EXEMPLARS]; // where the map of an exemplar is
    float    *maps;                  // [exemplars, cells]
    TopValues top;                   // unless sketched
    Sketch    sketch;
} UnitGathering;

typedef struct Gathering {
    const Inputs     *inputs;
    const MilanRules *rules;
    int64_t           first_unit, unit_count, cells, exemplar_count;
    QuantileRank      rank;
    UnitGathering    *units; // [unit_count]
    float            *rooms; // [threads, cells]
    int               threads;
    const real       *maps; // of the batch at hand
    int64_t           first, count;
    LoopErrors        errors;
} Gathering;

/* For `unit_count` units of the inputs' layer, from unit `first_unit` on. */
bool gather_open(Gathering *out, const Inputs *inputs, const MilanRules *rules, int64_t first_unit,
                 int64_t unit_count, Error *error);
void gather_close(Gathering *gathering); // accepts a zeroed object
StreamTake gather_batch;                 // self is a Gathering
/* One map of one unit; images come in increasing order. */
bool gather_map(Gathering *gathering, int64_t unit, int64_t image, const float *map, Error *error);
/* After all images: sets the levels. */
bool gather_levels(Gathering *gathering, Error *error);
/* The map of an exemplar by its rank. */
const float *gather_exemplar(const Gathering *gathering, int64_t unit, int64_t rank);

/* ---- second phase: features ------------------------------------------------------------------ */

/* An exemplar that the encoder is to look at. */
typedef struct Look {
    int64_t image, unit, rank; // unit: row of the gathering
} Look;

typedef struct Looks {
    int64_t  count;
    Look    *items;    // by image, unit and rank
    int64_t *place;    // [unit, exemplar]: its place among the items
    int64_t  distinct; // images
    real    *features; // [count, features of an image], of the items
} Looks;

/* All exemplars of a gathering. */
bool looks_open(Looks *out, const Gathering *gathering, int64_t features, Error *error);
void looks_close(Looks *looks); // accepts a zeroed object

/* Between two batches of images, when `done` items are. */
typedef bool LooksPause(void *self, int64_t done, int64_t images, Error *error);

/* Features of the items from `start` on, which begins an image; each image goes through the encoder
 * once. Pixels come from `images`. */
bool looks_run(Looks *looks, Milan *milan, const Gathering *gathering, const ImageSource *images,
               int64_t start, LooksPause *pause, void *self, Error *error);
/* The features of a unit [exemplars, features] in the order of its exemplars. */
void looks_gather(const Looks *looks, const Milan *milan, int64_t unit, real *out);

/* An exemplar as the captioner's encoder sees it: planes [3, image_height, image_width] of the
 * inputs in 0..1 become bytes, and then pixels [3, height, width] of the encoder (N5). */
void exemplar_bytes(const Milan *milan, const Inputs *inputs, const float *planes, uint8_t *bytes);
/* The mask [height, width] of a map; returns its pixels. `room` is [height, width]. */
int64_t exemplar_mask(const Milan *milan, const float *map, float level, float *room,
                      uint8_t *mask);

/* ---- all of it: Evidence --------------------------------------------------------------------- */

struct Evidence {
    int64_t    unit_count;
    Exemplars *exemplars; // [unit_count]
    char     **text;      // [unit_count]; NULL until it is found
    double    *score;     // [unit_count]
    int32_t   *label;     // [unit_count], numbers of the texts
};

typedef enum MilanPhase { PHASE_GATHER, PHASE_ENCODE, PHASE_DECODE } MilanPhase;

/* A run over all units, and how far it is. */
typedef struct Collecting {
    Milan      *milan;
    const Pass *pass;
    Gathering   gathering;
    Looks       looks; // from the second phase on
    Evidence   *evidence;
    MilanPhase  phase;
    int64_t     next;          // images, items or units of the phase that are done
    int64_t     images_looked; // through the encoder
} Collecting;

/* Goes to where a checkpoint was left; without one, all stays as it is. */
bool collecting_load(Collecting *collecting, Error *error);
bool collecting_save(const Collecting *collecting, Error *error);

/* Makes the looks of a gathering whose levels are known. */
bool collecting_looks(Collecting *collecting, Error *error);

bool milan_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                   Evidence **out, Error *error);
bool milan_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                        Error *error);
void milan_release(Evidence *evidence); // NULL allowed

/* What the functions above are made of. */
bool milan_evidence(Evidence **out, int64_t unit_count, Error *error);
bool milan_gather(Collecting *self, const ImageSource *images, Error *error);
bool milan_encode(Collecting *self, const ImageSource *images, Error *error);
bool milan_decode(Collecting *self, Error *error);
/* Numbers of the texts, in the order of the units. */
bool milan_number(const Explainer *explainer, Evidence *evidence, Error *error);

/* The texts [count] of units, each with its zero, and back: *fits false if they are not so many. */
bool milan_join(const Evidence *evidence, int64_t count, char **out, size_t *size, Error *error);
bool milan_split(Evidence *evidence, int64_t first, int64_t count, SnapshotPart texts, bool *fits,
                 Error *error);

/* In pieces (pieces.c). */
extern const MethodPhase milan_phases[2];
bool milan_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                 const Pieces *pieces, Error *error);
bool milan_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                  Evidence **out, Error *error);

/* ---- files, attacks, modes: functions of the table in nem/method.h --------------------------- */

#define MILAN_FILE "exemplars.csv"
bool milan_write(const Explainer *explainer, const Evidence *evidence, const char *folder,
                 Error *error);
bool milan_baseline(Explainer *explainer, const char *folder, Error *error);
void milan_clean_close(MilanClean *clean); // accepts a zeroed object

bool milan_aim(const Explainer *explainer, const UnitRecord *unit, int32_t target, Aim *out,
               Error *error);
bool milan_candidates(const Explainer *explainer, bool *present, Error *error);
void milan_describe_mode(const Mode *mode, JsonWriter *json);

/* ---- one unit told --------------------------------------------------------------------------- */

bool milan_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                 const float *maps, const PeakImage *top, int top_count, Story **out, Error *error);
void milan_story_close(Story *story);
void milan_story_json(const Explainer *explainer, const Story *story, JsonWriter *json);
bool milan_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error);
void milan_story_page(const Explainer *explainer, const Story *story, Writer *page);
void milan_story_caption(const Story *story, int k, Writer *page);

#endif
