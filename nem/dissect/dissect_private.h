/* nem/dissect/dissect_private.h - what the files of this folder share; nobody else includes it. */
#ifndef NEM_DISSECT_PRIVATE_H
#define NEM_DISSECT_PRIVATE_H

#include "../../probe/stream.h"
#include "dissect.h"

/* ---- modes ----------------------------------------------------------------------------------- */

enum { DISSECT_MODES = 4 };
extern const Mode dissect_modes[DISSECT_MODES];

/* ---- kept cells: what lets one forward pass do for thresholds and counts --------------------- */

/* For one unit, image after image: the cells above a bound and their neighbours within reach. */
typedef struct CellStore {
    uint16_t *runs; // start, length, start, length, ...
    float    *cells;
    uint16_t *image_runs; // [image_count]: runs of each image
    size_t    run_count, run_room, cell_count, cell_room;
    size_t    settled;       // cells after the last pruning
    float     settled_bound; // ... and its bound
    int64_t   images;        // added so far
} CellStore;

typedef struct CellShape {
    int64_t height, width;
    int     reach_rows, reach_columns;
} CellShape;

typedef struct CellScratch {
    uint8_t *keep; // [height, width]
    float   *map;  // [height, width]
} CellScratch;

typedef struct CellCursor {
    size_t run, cell;
} CellCursor;

/* Whether counts, runs and cells agree, for a store that was read from disk. */
bool cells_valid(const CellStore *store, const CellShape *shape, int64_t image_count);
/* The cursor before image `image`. */
CellCursor cells_seek(const CellStore *store, int64_t image);
bool       cells_fit(const CellShape *shape); // positions fit 16 bits
bool       cells_open(CellStore *store, int64_t image_count, Error *error);
void       cells_close(CellStore *store);
bool       cell_scratch_open(CellScratch *scratch, const CellShape *shape, Error *error);
void       cell_scratch_close(CellScratch *scratch);
size_t     cells_bytes(const CellStore *store);
/* Adds the next image's map, whose largest value is `maximum`, and drops what the bound has
 * outgrown when the store has doubled. */
bool cells_add(CellStore *store, const CellShape *shape, const float *map, float maximum,
               float bound, CellScratch *scratch, Error *error);
/* Rebuilds the next image's map; false if nothing of it was kept. */
bool cells_next(const CellStore *store, const CellShape *shape, int64_t image, CellCursor *cursor,
                float *map);

/* ---- first pass ------------------------------------------------------------------------------ */

typedef struct Survey {
    const DissectRules *rules;
    const ProbeSet     *probe;
    int64_t             unit_count;
    CellShape           shape;
    QuantileRank        rank;
    TopValues          *top;     // [units]
    CellStore          *stores;  // [units], NULL once they outgrew their room
    CellScratch        *scratch; // [threads]
    int                 threads;
    size_t              peak_bytes;
    const real         *maps; // of the batch at hand
    int64_t             first, count;
    LoopErrors          errors;
} Survey;

bool survey_open(Survey *survey, const Resampler *resampler, Error *error); // first three are set
void survey_drop(Survey *survey);                                           // the kept cells
void survey_close(Survey *survey);
StreamTake survey_batch; // self is a Survey

/* ---- tally ----------------------------------------------------------------------------------- */

/* The map of (unit, image), or NULL if nothing of it exceeds the threshold. `room` [height, width]
 * may be used to hold it. For each unit, images come in order. */
typedef const float *MapOf(void *self, int64_t unit, int64_t image, float *room);

typedef struct TallyRun TallyRun;

bool tally_open(TallyRun **out, const DissectRules *rules, const Inputs *inputs,
                const Resampler *resampler, Dissection *dissection, int64_t block, Error *error);
void tally_close(TallyRun *run); // NULL allowed
/* Counts images first..first+count-1 (count <= block) into the dissection's tally. */
bool tally_block(TallyRun *run, int64_t first, int64_t count, MapOf *map_of, void *self,
                 Error *error);

/* ---- a dissection under way ------------------------------------------------------------------ */

typedef enum DissectPhase {
    PHASE_SURVEY, // first pass
    PHASE_KEPT,   // counting the kept cells
    PHASE_SECOND  // second pass
} DissectPhase;

typedef struct Dissecting {
    const Pass  *pass;
    Dissection   dissection;
    Resampler   *resampler;
    Stream       stream;
    Survey       survey;
    TallyRun    *tally;
    DissectPhase phase;
    int64_t      next; // images of the phase that are done
} Dissecting;

/* Room for everything; to be closed even when it fails, and so is its dissection. Rules outlive
 * it. */
bool dissecting_open(Dissecting *out, const DissectRules *rules, const Inputs *inputs,
                     const ImageSource *images, const Pass *pass, Error *error);
void dissecting_close(Dissecting *dissecting); // all but the dissection

/* Goes to where a checkpoint was left; without one, all stays as it is. */
bool dissecting_load(Dissecting *dissecting, Error *error);
/* Counts the images of a phase as done: self is a Dissecting. */
StreamPause dissecting_pause;
/* The pass that surveys, the second one, which counts; `runs`: how many there are, for progress. */
bool dissecting_survey(Dissecting *dissecting, int runs, Error *error);
bool dissecting_second(Dissecting *dissecting, int runs, Error *error);

/* A dissection without counts. */
bool dissection_open(Dissection *out, const DissectRules *rules, const ProbeSet *probe,
                     int64_t unit_count, Error *error);

/* ---- a dissection in pieces (pieces.c): functions of the table in nem/method.h ---------------- */

enum { DISSECT_PIECE_PHASES = 3 };
extern const MethodPhase dissect_phases[DISSECT_PIECE_PHASES];
bool dissect_piece(const Explainer *explainer, const Pass *pass, int phase, Share share,
                   const Pieces *pieces, Error *error);
bool dissect_pieces(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                    Evidence **out, Error *error);

/* ---- triples: the record of the 2017 program --------------------------------------------------- */

/* One triple of an image's record: so many pixels of a unit's mask carry a label. */
typedef struct Triple {
    int32_t  image; // within the block
    int32_t  label; // -1: the mask itself
    uint32_t count;
} Triple;

/* Triples of one unit over a block: image after image, a mask, then its labels in order. */
typedef struct TripleList {
    Triple *items;
    int64_t count, room;
} TripleList;

/* What an image's label counts become when its record is full; copies of what planes_labels has. */
typedef struct ImageLabels {
    LabelPixels *items;
    int          count;
} ImageLabels;

/* The 2017 program records at most `limit` triples of one image; sets the counts of the others
 * to zero. */
bool triples_limit(TripleList *lists, int64_t unit_count, int32_t image, ImageLabels *labels,
                   const ImagePlanes *planes, int64_t limit, Error *error);

/* ---- what stands behind Evidence and Explainer ----------------------------------------------- */

struct Evidence {
    Dissection dissection;
};

/* What Network Dissection makes once for its inputs: Explainer.state. */
typedef struct Dissector {
    Resampler   *resampler; // of the layer
    const char **text;      // [label_count]
    int         *category_of;
} Dissector;

/* Network Dissection's words about a clean run: functions of the table in nem/method.h. */
void dissect_summary_json(const Explainer *explainer, const Evidence *evidence, JsonWriter *json);
bool dissect_summary_text(const Explainer *explainer, const Evidence *evidence, FILE *stream,
                          Error *error);

/* The whole numbers behind one score, counted over the whole probing set. */
typedef struct ConceptSum {
    Concept concept;
    uint64_t both;     // pixels of the unit's mask with the label
    uint64_t activity; // pixels of the mask where the label's category is present
    uint64_t truth;    // pixels with the label
    uint64_t either;   // the union: activity + truth - both
} ConceptSum;

typedef struct StoryImage {
    PeakImage peak;
    int64_t   mask, both; // label-map pixels of the unit's mask; ... that carry its concept
} StoryImage;

struct Story {
    float      threshold;
    int64_t    above, values; // activations beyond the threshold, of all
    int64_t    mask, images;  // mask pixels of all images; images that have any
    int        rank_count;
    ConceptSum rank[DISSECT_TOP]; // the concept and its runners-up, those with a score
    /* The label falls behind its runner-up once so many pixels with it have left the mask, the
     * weakest first (D29); 0: never, or not known. */
    uint64_t   leave;
    int        top_count;
    StoryImage top[STORY_IMAGES];
};

bool dissect_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                   const float *maps, const PeakImage *top, int top_count, Story **out,
                   Error *error);
/* Sets `leave` of a story whose ranks are known; maps are the unit's over the whole set. */
bool dissect_margin(const Explainer *explainer, const float *maps, double epsilon, Story *story,
                    Error *error);
void dissect_story_close(Story *story);
void dissect_story_json(const Explainer *explainer, const Story *story, JsonWriter *json);
bool dissect_story_text(const Explainer *explainer, const Story *story, FILE *stream, Error *error);
void dissect_story_page(const Explainer *explainer, const Story *story, Writer *page);
void dissect_story_caption(const Story *story, int k, Writer *page);

#endif
