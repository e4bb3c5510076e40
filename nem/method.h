/* nem/method.h - what a neuron explanation method is, on one screen.
 *
 * A unit is one channel of one layer of a network, and a probing set is a set of images that the
 * network is run on. A method looks at what the units answer to these images and says for each unit
 * which concept it stands for: a label ("door") and a score, which says how well the label fits.
 * Network Dissection takes the labels of the probing set and scores by intersection over union;
 * another method may take words of a list, or captions.
 *
 * A method is a table of functions (Method), a line in methods.c, and a folder of its own below
 * nem/. Clean runs, noise, attacks, comparison, pages and resumed runs go through the table and do
 * not know which method they serve.
 *
 * Labels count from 1; label 0 means "no concept". Units, images and categories count from 0. A row
 * of evidence is a unit of the layer, or row 0 for evidence of one unit alone. Maps are
 * [images, height, width] at the layer's resolution, float32, row-major. */
#ifndef NEM_METHOD_H
#define NEM_METHOD_H

#include "../base/pieces.h"
#include "../format/html.h"
#include "../format/json.h"
#include "../probe/inputs.h"
#include "../probe/pass.h"

#include <stdio.h>

typedef struct Method    Method;
typedef struct Explainer Explainer;
typedef struct Evidence  Evidence; // what a method has seen of a set; each method has its own
typedef struct Story     Story;    // the numbers behind one unit's concept; likewise

/* ---- what a method says ---------------------------------------------------------------------- */

/* What a unit stands for. */
typedef struct Concept {
    int32_t label;    // number among the explainer's labels; 0: none
    int     category; // of the label
    double  score;    // how well it fits; what it means depends on the method
} Concept;

typedef struct LabelPool LabelPool;

/* The texts that labels and categories stand for. Arrays belong to the method, unless labels grow:
 * descriptions that nobody knows beforehand, such as captions, get their numbers one by one. So
 * what outlives the process holds texts, never numbers. */
typedef struct Labels {
    const char        *source;      // the file they are from; NULL: the probing set, or they grow
    const int32_t     *line;        // [count] of that file, from 1
    int32_t            count;       // numbers 0 to count - 1; the text of 0 is ""
    const char *const *text;        // [count]
    const int         *category_of; // [count]
    int                category_count; // at least 1, at most PROBE_MAX_CATEGORIES
    const char *const *category;       // [category_count]
    LabelPool         *grown;          // of labels_open_free; NULL: all are known
} Labels;

/* The number of a label's text in a category (-1: in any); 0 if there is none. */
int32_t labels_find(const Labels *labels, const char *text, int category);
/* The number of a category; -1 if there is none of that name. */
int labels_category(const Labels *labels, const char *name);

/* Labels that grow, of one category; for a method's `open`. labels_close comes by itself. */
bool labels_open_free(Labels *labels, const char *category, Error *error);
/* The number of a text: that of its first appearance, or else the next one; 0 for "". Texts stay
 * where they are, the arrays of `labels` may move. Only by the thread that called collect,
 * collect_unit or read. Errors: ERROR_MEMORY. */
bool labels_intern(Labels *labels, const char *text, int32_t *label, Error *error);
/* The number of a text that was read from a file: interned where labels grow; else as labels_find,
 * 0 if there is none. */
bool labels_number(Labels *labels, const char *text, int category, int32_t *label, Error *error);
void labels_close(Labels *labels); // accepts a zeroed object and labels that do not grow

/* Whether one description of a unit is another than before (C19), and how alike they are (1: the
 * same). */
typedef struct Change {
    bool   changed;
    double similarity;
} Change;

/* How alike two descriptions are by a measure that a verb brings along: 1 for the same. */
typedef struct Likeness {
    const char *name; // "f1-bert"
    bool (*measure)(void *self, const char *before, const char *after, double *out, Error *error);
    /* (optional) Texts that will be measured, where many at once cost less than one by one. */
    bool (*prepare)(void *self, const char *const *texts, int64_t count, Error *error);
    void *self;
} Likeness;

/* ---- a clean run on disk --------------------------------------------------------------------- */

/* What a clean run found, unit by unit in the layer's order, none left out. */
typedef struct UnitRecord {
    int64_t unit;
    int32_t label;    // number among the labels; 0: none, or read without labels
    int     category; // -1 if read without labels
    char   *label_name, *category_name;
    double  score;
    float   threshold; // activations above it count as the unit's; 0 where a method has none
} UnitRecord;

typedef struct RunRecord {
    int64_t     unit_count;
    UnitRecord *units;
} RunRecord;

void run_record_close(RunRecord *record); // accepts a zeroed object

/* units.csv of a run folder: layer,unit,description,score,category,threshold, a row for each unit.
 * It is written for every method, and read back where the method has no files of its own. */
bool units_write(const Explainer *explainer, const Evidence *evidence, const char *layer,
                 const char *folder, Error *error);
bool units_read(RunRecord *out, const char *folder, Labels *labels, Error *error);

/* ---- modes ----------------------------------------------------------------------------------- */

/* Published programs disagree in details that change numbers; a mode (--compat) is one consistent
 * choice. All that a mode decides stands in its row of the method's table. */
typedef struct Mode {
    const char *name;             // "corrupt23"
    const char *store;            // how perturbed images are stored by default, "jpeg75" (Q1)
    bool        coupled;          // the images of a group of 64 share one attack objective (Q4)
    bool        raw_masks;        // masks from activations see pixels without preparation (Q5)
    bool        post_relu;        // a VGG convolution is read after its ReLU (Q2)
    const char *without_category; // left out of the probing set by default, or NULL (Q10)
    const void *rules;            // the method's own constants
} Mode;

/* ---- options --------------------------------------------------------------------------------- */

typedef enum MethodOptionKind {
    METHOD_FILE,   // a path; what the file holds decides results, so its SHA-256 goes with the run
    METHOD_FOLDER, // a path that decides no result, so that it is no part of a run's settings
    METHOD_CHOICE, // one of the words of `value`, separated by |
    METHOD_COUNT   // a whole number, at least 1
} MethodOptionKind;

/* What a method can be told beside its mode: a row of its table. Parser, help, completion, identity
 * and run.json are made from these rows. Methods that have options of the same name share one: the
 * same kind and value. */
typedef struct MethodOption {
    const char      *name; // "captioner", as --captioner takes it
    MethodOptionKind kind;
    const char      *value;   // "FILE.nw", "soft-wpmi|wpmi", "N"
    const char      *initial; // where the option is not given; NULL: nothing, the method sees to it
    const char      *help;
} MethodOption;

enum { METHOD_OPTIONS = 16 }; // most that all methods have together

/* ---- a clean run in pieces ------------------------------------------------------------------- */

/* A clean run that several machines make goes through phases, each cut into pieces of its images
 * or units, or done whole. A phase may use what all pieces of the one before found. */
typedef enum PhaseCut { CUT_IMAGES, CUT_UNITS, CUT_NOTHING } PhaseCut;

typedef struct MethodPhase {
    const char *name; // "largest values"
    PhaseCut    cut;
} MethodPhase;

/* ---- one unit again -------------------------------------------------------------------------- */

/* What a unit answers to a set of which some images may be others than in the clean run. */
typedef struct UnitView {
    int64_t             unit;
    const float *const *maps;    // maps[image] -> [height, width] of the layer
    const ImageSource  *images;  // the pixels that gave these maps
    const int64_t      *changed; // [changed_count] images whose pixels are others, increasing
    int64_t             changed_count;
} UnitView;

/* ---- attacks --------------------------------------------------------------------------------- */

/* Where an attack is to lower a unit (source) and to raise it (target), image by image: which
 * images may be perturbed (C7), and in each the places of the two concepts (C8). */
typedef struct Aim {
    int64_t *images; // [image_count] that may be perturbed, increasing; owned by `self`
    int64_t  image_count;
    int64_t  mask_count; // elements of one mask
    /* Writes both masks [mask_count], each element 0 or 1, of an image; the target mask is all 0
     * when there is no target. Called by one thread at a time. */
    bool (*masks)(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error);
    /* From a map of the layer [height, width] to the masks' resolution, and the transpose of that
     * linear map. NULL: masks have the layer's resolution. */
    void (*enlarge)(const void *self, const float *map, float *out);
    void (*transpose)(const void *self, const float *weights, float *out);
    float threshold; // the unit's, for the soft-iou loss (C11)
    /* For the soft-wpmi loss (L13), else NULL: what each image of the set adds when it is among the
     * unit's strongest, which it is by sigmoid((q - level) / softness). q is what `pool` makes of
     * the map; slope, as large as the map, is its derivative. */
    const float *gain;
    float        level, softness;
    float (*pool)(const void *self, const float *map, float *slope);
    void *self;
    void (*close)(void *self);
} Aim;

void aim_close(Aim *aim); // accepts a zeroed object

/* What a unit is to be moved towards (C13). */
typedef struct AimTarget {
    int32_t           label; // 0: nothing, the unit is only lowered
    const UnitRecord *unit;  // that stands for it in the clean run; NULL: no other unit does
} AimTarget;

/* ---- one unit told as a story ---------------------------------------------------------------- */

enum { STORY_IMAGES = 5 }; // shown of a unit

/* An image that a unit answers to strongly. */
typedef struct PeakImage {
    int64_t image;
    float   peak; // largest activation of the unit's map
} PeakImage;

float map_peak(const float *map, int64_t cells); // its largest activation
/* The images with the highest peaks, highest first; the first image wins ties. Returns how many. */
int peaks_find(const float *maps, int64_t images, int64_t cells, PeakImage top[STORY_IMAGES]);

/* ---- a method -------------------------------------------------------------------------------- */

/* A method opened on a probing set and a layer: it can now be asked about units. */
struct Explainer {
    const Method *method;
    const Mode   *mode;
    Inputs        inputs;
    Labels       *labels;
    /* [option_count] of the method's options, as given or initial; NULL: all initial. Outlive the
     * explainer. */
    const char *const *values;
    const Likeness    *likeness; // of descriptions; NULL: the method's own compare
    void              *state;    // the method's own
};

/* The value of one of the method's options; NULL: not given. */
const char *method_value(const Explainer *explainer, const char *name);

/* One row of the table of methods. Functions marked (optional) may be NULL. Those that can fail
 * leave their outputs alone when they do. */
struct Method {
    const char *name;             // "dissection", as --method takes it
    const char *title;            // "Network Dissection"
    const char *score_name;       // "IoU"
    const char *score_says;       // what a high score means, one sentence for pages
    double      detector_score;   // a unit is a detector if its concept's score reaches this (D19);
                                  // -INFINITY: the method draws no such line
    bool        score_is_share;   // 0 to 1, so that a part of it can be left (C26)
    bool        needs_label_maps; // else Inputs.label_planes may be NULL
    bool        sees_pixels;      // reads UnitView.images; else they need not be kept
    bool        reads_class;      // of a transformer's layer it takes the class token, not patches
    const Mode *modes;            // [mode_count], the default first
    int         mode_count;

    const MethodOption *options; // [option_count], or NULL
    int                 option_count;

    /* Fills *labels and state; the other fields are set. */
    bool (*open)(Explainer *explainer, Error *error);
    void (*close)(Explainer *explainer); // accepts what a failed open leaves

    /* ---- a clean run, or one of a perturbed set */
    /* (optional) collect refuses a set of fewer images. The explainer may have method and values
     * alone. */
    int64_t (*least_images)(const Explainer *explainer);
    /* Looks at all units over the whole set, from scratch (C18). The pixels come from `images`: the
     * explainer's own photos, or perturbed ones in their place. */
    bool (*collect)(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    Evidence **out, Error *error);
    /* (optional) The same in pieces: what `share` of a phase finds goes to pieces->save. Where images
     * are cut pass->share has the share already. */
    const MethodPhase *phases; // [phase_count]; NULL: it cannot be cut
    int                phase_count;
    bool (*collect_piece)(const Explainer *explainer, const Pass *pass, int phase, Share share,
                          const Pieces *pieces, Error *error);
    /* All of the last phase's pieces: the evidence of `collect`, bit for bit. */
    bool (*collect_pieces)(const Explainer *explainer, const Pass *pass, const Pieces *pieces,
                           Evidence **out, Error *error);
    /* Looks at one unit whose maps are at hand: row 0 equals the unit's row of a full collect over
     * the same pixels, bit for bit (C21). */
    bool (*collect_unit)(const Explainer *explainer, const UnitView *view, Evidence **out,
                         Error *error);
    /* (optional) Reads from the folder of a clean run what is to stay as it was there. Called once
     * by who compares with that run, before anything is collected. */
    bool (*baseline)(Explainer *explainer, const char *folder, Error *error);
    void (*release)(Evidence *evidence); // NULL allowed
    /* What the unit stands for. Free descriptions were interned as the evidence was collected. */
    Concept (*explain)(const Explainer *explainer, const Evidence *evidence, int64_t row);
    /* (optional) The score of any label for the unit. So an attack can tell how well the old
     * concept and the target fit afterwards. */
    double (*score_of)(const Explainer *explainer, const Evidence *evidence, int64_t row,
                       int32_t label);
    /* (optional) The activation above which the unit counts as active; 0 without. */
    float (*threshold)(const Evidence *evidence, int64_t row);
    /* (optional) For methods that score every label, see scores.h: adds what the map of one image
     * means to the unit's scores [labels.count]. */
    void (*score_map)(const Explainer *explainer, int64_t image, const float *map, float *scores);
    /* (optional) Without it a description changes when its text does. */
    Change (*compare)(const char *before, const char *after);

    /* ---- its files in a run folder beside units.csv (optional, both or neither) */
    const char *const *files; // names, ends with NULL
    bool (*write)(const Explainer *explainer, const Evidence *evidence, const char *folder,
                  Error *error);
    bool (*read)(RunRecord *out, const char *folder, Labels *labels, Error *error);

    /* ---- what it tells of a clean run (optional) */
    void (*describe_mode)(const Mode *mode, JsonWriter *json);
    void (*summary_json)(const Explainer *explainer, const Evidence *evidence, JsonWriter *json);
    bool (*summary_text)(const Explainer *explainer, const Evidence *evidence, FILE *stream,
                         Error *error);

    /* ---- attacks (optional): without `aim` the method's units cannot be attacked */
    /* Where the unit's clean concept is to be lowered and a target raised. */
    bool (*aim)(const Explainer *explainer, const UnitRecord *unit, AimTarget target, Aim *out,
                Error *error);
    /* Marks the labels that can be a target (C13) in present [labels.count], zeroed before.
     * NULL: none can. */
    bool (*candidates)(const Explainer *explainer, bool *present, Error *error);

    /* ---- pictures and stories (optional): how one unit came by its concept. maps [images, height,
     * width] are the unit's over the whole set. */
    /* The unit's mask [map_height, map_width] on one image, 0 or 1; returns its pixels. */
    int64_t (*mask)(const Explainer *explainer, const float *map, float threshold, float *room,
                    uint8_t *mask);
    /* (optional) Where an image shows a label: mask [map_height, map_width], 0 or 1. */
    bool (*label_mask)(const Explainer *explainer, int64_t image, int32_t label, uint8_t *mask,
                       Error *error);
    /* `evidence` is of the unit alone and need not outlive the story. */
    bool (*story)(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                  const float *maps, const PeakImage *top, int top_count, Story **out,
                  Error *error);
    void (*story_close)(Story *story); // NULL allowed
    void (*story_json)(const Explainer *explainer, const Story *story, JsonWriter *json);
    bool (*story_text)(const Explainer *explainer, const Story *story, FILE *stream, Error *error);
    void (*story_page)(const Explainer *explainer, const Story *story, Writer *page);
    /* The caption under top image `k`, behind its peak. */
    void (*story_caption)(const Story *story, int k, Writer *page);
};

/* Opens a method on inputs, which outlive it; `mode` is one of the method's, `values` are those of
 * its options (NULL: the initial ones). */
bool explainer_open(Explainer *out, const Method *method, const Mode *mode, const Inputs *inputs,
                    const char *const *values, Error *error);
void explainer_close(Explainer *explainer); // accepts a zeroed object

/* Units in the order of their scores. */
typedef struct RankedUnit {
    int64_t unit;
    Concept found;
} RankedUnit;

enum { RANK_SHOWN = 10 }; // of them are shown to people

/* All units of the layer, the best first, the lower number among equals; memory_free. NULL with
 * ERROR_MEMORY. */
RankedUnit *units_rank(const Explainer *explainer, const Evidence *evidence, Error *error);

/* Whether a unit that has a label, with this score, counts as a detector (D19). */
bool is_detector(const Method *method, double score);
/* What became of a description: another text is a change, unless the method says otherwise (C19).
 */
Change description_change(const Method *method, const char *before, const char *after);
/* The same, with the similarity of the explainer's likeness where it has one. Errors: its own. */
bool explainer_change(const Explainer *explainer, const char *before, const char *after,
                      Change *out, Error *error);
/* A finished run's record, from the method's own files or from units.csv; names are looked up in
 * labels, or kept as names only where labels is NULL. Errors: ERROR_NOT_FOUND, ERROR_DATA
 * (malformed, or a name that is no label). */
bool record_read(RunRecord *out, const Method *method, const char *folder, Labels *labels,
                 Error *error);
/* Whether evidence of one unit agrees with what the clean run found: the same label, and nearly the
 * same threshold. Where it does, weights and images are those of the clean run. Errors:
 * ERROR_DATA. */
bool record_check(const Explainer *explainer, const UnitRecord *record, const Evidence *evidence,
                  int64_t row, Error *error);

/* ---- the table ------------------------------------------------------------------------------- */

/* The index-th method of methods.c; NULL past the last. The first is Network Dissection. */
const Method *method_at(int index);
const Method *method_named(const char *name); // NULL if there is none
/* The mode of that name, NULL if there is none; name NULL: the default. */
const Mode *mode_named(const Method *method, const char *name);

#endif
