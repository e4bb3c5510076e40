/* training/initial.h - tensors that a training begins with, one after another: what the files of
 * drawn weights share; only they include it. */
#ifndef TRAINING_INITIAL_H
#define TRAINING_INITIAL_H

#include "../engine/blob.h"

enum { FRESH_TENSORS = 1024 };

/* How the weights of a layer are drawn; see initial.c. */
typedef enum Draw { DRAW_HE, DRAW_INPUTS, DRAW_OUTPUTS, DRAW_DEFAULT, DRAW_UNIFORM } Draw;

typedef struct Fresh {
    BlobTensor tensors[FRESH_TENSORS];
    char       names[FRESH_TENSORS][64];
    int        count;
    uint64_t   seed;
    Draw       draw;
    Error     *error;
    bool       ok;
} Fresh;

/* The tensor base.part, or base (part NULL), every number `value`; the data to fill further, or NULL. */
real *fresh_tensor(Fresh *fresh, const char *base, const char *part, Shape shape, real value);

/* A tensor of bytes. */
void fresh_text(Fresh *fresh, const char *name, const char *text);

/* Fills the latest tensor from the seed and its name: normal, or uniform in -1..1; times `scale`.
 * data NULL: nothing is done. */
void fresh_fill(const Fresh *fresh, real *data, size_t count, bool uniform, double scale);

/* A tensor by its whole name, uniform within `bound`, or normal. */
void fresh_uniform(Fresh *fresh, const char *name, Shape shape, double bound);
void fresh_normal(Fresh *fresh, const char *name, Shape shape, double deviation);

/* The weights of a layer, and the bias of one whose weights have this shape. */
real *fresh_weight(Fresh *fresh, const char *base, Shape shape);
real *fresh_bias(Fresh *fresh, const char *base, Shape shape);

/* Weights and bias; a dense layer; norms, which begin as what changes nothing. */
void fresh_layer(Fresh *fresh, const char *base, Shape shape);
void fresh_dense(Fresh *fresh, const char *base, int64_t outputs, int64_t inputs);
void fresh_norm(Fresh *fresh, const char *base, int64_t channels);
void fresh_layer_norm(Fresh *fresh, const char *base, int64_t width);

/* The bytes of a blob of all tensors with the text `about`; frees `fresh`, whatever went wrong. */
bool fresh_encode(Fresh *fresh, const char *about, Bytes *out);

/* The tensors of a family; `side`: of its pixels; `classes`: of a pair of towers its tokens. */
typedef void FreshNetwork(Fresh *fresh, int depth, int64_t side, int32_t classes);

FreshNetwork fresh_alexnet, fresh_densenet, fresh_squeezenet, fresh_mobilenet, fresh_vit,
    fresh_clip_mini;

/* The eight convolutions of `mini`, none wired; returns the units of the last. */
int64_t fresh_mini_trunk(Fresh *fresh);

#endif
