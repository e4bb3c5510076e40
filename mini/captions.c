/* mini/captions.c - see captions.h. */
#include "captions.h"
#include "canvas.h"

#include <stdio.h>
#include <string.h>

enum {
    FIRST_OBJECT   = LABEL_BALL,
    FIRST_PART     = LABEL_ARM,
    FIRST_MATERIAL = LABEL_ASPHALT,
    OBJECTS        = FIRST_PART - FIRST_OBJECT,
    PARTS          = FIRST_MATERIAL - FIRST_PART,
    LABELS         = LABEL_COUNT - 1,
    COMPOUNDS      = COLORS * OBJECTS,
    CLAIMS         = LABELS + COMPOUNDS + PARTS * OBJECTS
};

/* Cells of 1024 that show a label. A colour is everywhere a little. */
static const int least_cells[MINI_CATEGORIES] = {
    [MINI_COLOR] = 51, [MINI_OBJECT] = 8, [MINI_PART] = 4, [MINI_MATERIAL] = 16};

MiniCategory mini_label_category(int label)
{
    return label < FIRST_OBJECT     ? MINI_COLOR
           : label < FIRST_PART     ? MINI_OBJECT
           : label < FIRST_MATERIAL ? MINI_PART
           : label < FIRST_SCENE    ? MINI_MATERIAL
           : label < FIRST_TEXTURE  ? MINI_SCENE
                                    : MINI_TEXTURE;
}

int mini_claim_count(void)
{
    return CLAIMS;
}

MiniClaim mini_claim(int claim)
{
    if (claim < LABELS)
        return (MiniClaim){CLAIM_LABEL, claim + 1, 0};
    claim -= LABELS;
    if (claim < COMPOUNDS)
        return (MiniClaim){CLAIM_COMPOUND, FIRST_COLOR + claim / OBJECTS,
                           FIRST_OBJECT + claim % OBJECTS};
    claim -= COMPOUNDS;
    return (MiniClaim){CLAIM_PART_OF, FIRST_PART + claim / OBJECTS, FIRST_OBJECT + claim % OBJECTS};
}

// One compound in six; every colour and every object is said in others.
bool mini_claim_is_held_out(int claim)
{
    MiniClaim c = mini_claim(claim);
    return c.kind == CLAIM_COMPOUND && (5 * c.label + c.of) % 6 == 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

// A label's word: its name without the "-c" or "-s" of its category.
static const char *word(int label, char out[24])
{
    snprintf(out, 24, "%s", mini_label_name(label));
    char *dash = strchr(out, '-');
    if (dash)
        *dash = 0;
    return out;
}

static bool is_mass(int label)
{
    return label == LABEL_GRASS || label == LABEL_SAND || label == LABEL_SNOW ||
           label == LABEL_HAIR;
}

// The word before a noun, or before the adjective `first` of it.
static const char *article(const char *first, int noun)
{
    return is_mass(noun) ? "" : strchr("aeiou", first[0]) ? "an " : "a ";
}

/* Forms: 1 is the label's word, 2 the object's, < and > are their articles. */
static const char *const forms_of_label[MINI_CATEGORIES][MINI_FORMS] = {
    [MINI_COLOR]    = {"1", "something 1", "the colour 1", "1 things"},
    [MINI_OBJECT]   = {"1", "<1", "a photo of <1", "there is <1"},
    [MINI_PART]     = {"1", "<1", "a photo of <1", "there is <1"},
    [MINI_MATERIAL] = {"1", "something of 1", "made of 1", "a 1 surface"},
    [MINI_SCENE]    = {"1", "<1 scene", "a photo of <1", "at <1"},
    [MINI_TEXTURE]  = {"1", "<1 texture", "<1 pattern", "something 1"},
};
static const char *const forms_of_compound[MINI_FORMS] = {"1 2", "<1 2", "a photo of <1 2",
                                                          "the 2 is 1"};
static const char *const forms_of_part[MINI_FORMS]     = {"1 of >2", "the 1 of >2", ">2 with <1",
                                                          "a photo of the 1 of >2"};

static const char *form_of(MiniClaim claim, int form)
{
    return claim.kind == CLAIM_COMPOUND  ? forms_of_compound[form]
           : claim.kind == CLAIM_PART_OF ? forms_of_part[form]
                                         : forms_of_label[mini_label_category(claim.label)][form];
}

void mini_claim_text(int claim, int form, char out[MINI_CAPTION_BYTES])
{
    char        first[24], second[24];
    MiniClaim   c    = mini_claim(claim);
    int         noun = c.kind == CLAIM_COMPOUND ? c.of : c.label;
    size_t      used = 0;
    const char *text = form_of(c, form);
    out[0]           = 0;
    for (; *text; text++) {
        char        letter[2] = {*text, 0};
        const char *piece     = *text == '1'   ? word(c.label, first)
                                : *text == '2' ? word(c.of, second)
                                : *text == '<' ? article(word(c.label, first), noun)
                                : *text == '>' ? article(word(c.of, second), c.of)
                                               : letter;
        snprintf(out + used, MINI_CAPTION_BYTES - used, "%s", piece);
        used += strlen(out + used);
    }
}

/* ---- truth ----------------------------------------------------------------------------------- */

typedef struct Cells {
    int label[LABEL_COUNT];
    int compound[COLORS][OBJECTS], part_of[PARTS][OBJECTS];
} Cells;

static void count_cell(const MiniImage *image, int cell, Cells *cells)
{
    int color  = image->maps[MINI_MAP_COLOR][cell] - FIRST_COLOR,
        object = image->maps[MINI_MAP_OBJECT][cell] - FIRST_OBJECT;
    for (int map = 0; map < MINI_MAPS; map++)
        cells->label[image->maps[map][cell]]++;
    if (object < 0)
        return;
    cells->compound[color][object]++;
    for (int map = MINI_MAP_PART; map <= MINI_MAP_SUBPART; map++) {
        int part = image->maps[map][cell] - FIRST_PART;
        if (part >= 0 && part < PARTS) // a wall of a house is named as the object
            cells->part_of[part][object]++;
    }
}

static void count_whole(const MiniImage *image, Cells *cells)
{
    cells->label[image->backdrop] = MINI_CELLS;
    for (int i = 0; i < 2; i++)
        cells->label[image->textures[i]] = MINI_CELLS;
    // Sets drop the label of some scenes for being rare; what is true stays so.
    if (!image->is_board)
        cells->label[FIRST_SCENE + image->kind / SCENE_OBJECTS] = MINI_CELLS;
}

void mini_claims(const MiniImage *image, bool *is_true)
{
    Cells cells = {0};
    for (int cell = 0; cell < MINI_CELLS; cell++)
        count_cell(image, cell, &cells);
    count_whole(image, &cells);
    for (int claim = 0; claim < CLAIMS; claim++) {
        MiniClaim c      = mini_claim(claim);
        int       object = c.of - FIRST_OBJECT;
        int       least  = least_cells[mini_label_category(c.label)];
        if (c.kind == CLAIM_LABEL)
            is_true[claim] = cells.label[c.label] > 0 && cells.label[c.label] >= least;
        else if (c.kind == CLAIM_PART_OF)
            is_true[claim] = cells.part_of[c.label - FIRST_PART][object] >= least;
        else
            is_true[claim] = cells.label[c.of] >= least_cells[MINI_OBJECT] &&
                             3 * cells.compound[c.label - FIRST_COLOR][object] >= cells.label[c.of];
    }
}

bool mini_claim_cells(const MiniImage *image, int claim, uint8_t *cells)
{
    MiniClaim c     = mini_claim(claim);
    bool      found = false;
    for (int cell = 0; cell < MINI_CELLS; cell++) {
        bool is_label = false, is_of = !c.of;
        for (int map = 0; map < MINI_MAPS; map++) {
            is_label |= image->maps[map][cell] == c.label;
            is_of |= c.of && map == MINI_MAP_OBJECT && image->maps[map][cell] == c.of;
        }
        cells[cell] = is_label && is_of;
        found |= cells[cell];
    }
    if (!found)
        memset(cells, 1, MINI_CELLS);
    return !found;
}
