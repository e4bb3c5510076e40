/* mini/captions.h - what can be said of a drawn photo, and whether it is true (V1 to V3).
 *
 * A claim is one thing that a photo's masks decide: that a car is there, a wheel, a wheel of a car,
 * something red, a red car, brick, a street, a striped texture. Each can be said in several forms,
 * the first of them the shortest ("car", "red car", "wheel of a car"). All texts are of lower-case
 * words with single spaces, of MINI_CAPTION_WORDS different words at most.
 *
 * Compounds of a colour and an object that are held out are for testing whether a network that
 * knows both words understands them together: no training says them. */
#ifndef MINI_CAPTIONS_H
#define MINI_CAPTIONS_H

#include "mini.h"

enum {
    MINI_FORMS         = 4,  // of a claim
    MINI_CAPTION_BYTES = 64, // of a text with its zero
    MINI_CAPTION_WORDS = 157 // different ones in all texts
};

typedef enum MiniClaimKind {
    CLAIM_LABEL,    // a colour, an object, a part, a material, a scene or a texture is there
    CLAIM_COMPOUND, // an object of this colour: at least a third of its cells
    CLAIM_PART_OF   // a part of this object
} MiniClaimKind;

typedef struct MiniClaim {
    MiniClaimKind kind;
    int           label; // of a compound the colour, of a part the part
    int           of;    // the object; 0: none
} MiniClaim;

int       mini_claim_count(void);
MiniClaim mini_claim(int claim); // 0..mini_claim_count()-1
bool      mini_claim_is_held_out(int claim);

/* The category a label stands in; of `wall`, which is an object and a part, the object. */
MiniCategory mini_label_category(int label);

/* form 0..MINI_FORMS-1 */
void mini_claim_text(int claim, int form, char out[MINI_CAPTION_BYTES]);

/* is_true [mini_claim_count()]: what the masks of an image say of every claim. What shows a label
 * in a few cells only does not show it. */
void mini_claims(const MiniImage *image, bool *is_true);

/* cells [MINI_CELLS]: 1 where the image shows a claim that is true of it. Returns true, and all are
 * 1, where it is of the whole image: a scene, a texture, a sky that has no cells. */
bool mini_claim_cells(const MiniImage *image, int claim, uint8_t *cells);

#endif
