/* study/agreement.h - whether several methods, or one method before and after, say the same of the
 * same units; and how often they would by chance (B10 to B15 of docs/methods/bertscore.md). */
#ifndef STUDY_AGREEMENT_H
#define STUDY_AGREEMENT_H

#include "../nem/descriptions.h"
#include "study.h"
#include "text_table.h"

enum { AGREE_METHODS = 8, AGREE_DRAWS = 100 };

/* The similarities that are averaged. AGREE_SAME: 1 for equal plain texts, else 0. */
typedef enum AgreeKind { AGREE_SAME, AGREE_OVERLAP, AGREE_BERT, AGREE_KINDS } AgreeKind;

/* The units that all methods describe, in the order of layers (of their names) and units. */
typedef struct Agreement {
    const Descriptions *methods; // [method_count], the caller's
    int                 method_count;
    int64_t             count;                // units
    int64_t            *rows[AGREE_METHODS];  // [count]: of a method's rows
    int32_t            *ids[AGREE_METHODS];   // [count]: text of the table
    int64_t             alone[AGREE_METHODS]; // units of a method that not all describe
    int64_t            *layer_start;          // [layer_count + 1]: first unit of each layer
    int                 layer_count;
    TextTable           table;
} Agreement;

/* `bert` may be NULL. Errors: ERROR_DATA (no unit in common; too many layers). */
bool agreement_open(Agreement *out, const Descriptions *methods, int method_count, BertScore *bert,
                    Error *error);
void agreement_close(Agreement *agreement); // accepts a zeroed object

const Description *agreement_row(const Agreement *agreement, int method, int64_t unit);

/* Of one unit: the description of method b as candidate, that of a as reference. */
bool agreement_value(Agreement *agreement, int a, int b, AgreeKind kind, int64_t unit, double *out,
                     Error *error);

/* Of two texts of the table. */
bool agreement_likeness(Agreement *agreement, AgreeKind kind, int32_t reference, int32_t candidate,
                        double *out, Error *error);

/* A mean over units, or a share of them, with its 95 % interval (Wilson's for shares, else
 * bootstrap), and the mean over AGREE_DRAWS draws in which the units of b are permuted within their
 * layers, with the 2.5 and 97.5 % points of the draws (B13). */
typedef struct AgreeFigure {
    double  value, low, high;
    double  chance, chance_low, chance_high;
    int64_t units;
} AgreeFigure;

/* Figures of methods a and b; group 0: all units, g: the g-th layer. Rows of out: AGREE_KINDS
 * figures, then shares of units whose F1-BERT is below each of similarity_cuts (B14); without BERT
 * the rest of a group stays zero. */
enum { AGREE_FIGURES = AGREE_KINDS + SIMILARITY_CUTS };
const char *agree_figure_name(int figure); // "same", "word_overlap", "f1_bert", "f1_below_0.3", ...
bool        agreement_figures(Agreement *agreement, int a, int b, uint64_t seed,
                              AgreeFigure (*out)[AGREE_FIGURES], Error *error);

/* Shares of units that stayed, among the methods that were tried: of each method, and of all at
 * once; chance: of all, if methods had nothing to do with each other (the product). */
typedef struct AgreeStability {
    int64_t units;                 // tried by every such method
    int     methods;               // how many such there are
    int64_t stayed[AGREE_METHODS]; // -1: not tried
    int64_t stayed_in_all;
    double  low, high, chance; // of stayed_in_all / units
} AgreeStability;

AgreeStability agreement_stability(const Agreement *agreement);
/* 1: it stayed for every method that tried; 0: not; -1: some method of those did not try it. */
int agreement_stayed(const Agreement *agreement, int64_t unit);

#endif
