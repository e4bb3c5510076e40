/* mini/units.c - see units.h. */
#include "units.h"

#include <string.h>

/* ---- what a unit and an exemplar draw -------------------------------------------------------- */

static Random of_unit(const MiniUnit *unit, int exemplar)
{
    return (Random){
        .key  = random_key(unit->seed, "mini units"),
        .next = ((uint64_t)unit->number * (MINI_UNIT_EXEMPLARS + 1) + (uint64_t)(exemplar + 1))
                << 8};
}

typedef struct Sight {
    int  side;    // cells of the layer: 8, 16 or 32
    int  level;   // percent of a cell that must show the claim
    bool is_near; // only what is around one cell
    int  radius;  // in cells of the label map
} Sight;

static Sight sight_of(const MiniUnit *unit)
{
    Random random = of_unit(unit, -1);
    Sight  sight  = {.side = 8 << random_below(&random, 3)};
    sight.level   = 20 + (int)random_below(&random, 36);
    sight.is_near = random_below(&random, 2) == 0;
    sight.radius  = 3 + (int)random_below(&random, 8);
    return sight;
}

bool mini_unit_is_wrong(const MiniUnit *unit, int exemplar, uint32_t *word)
{
    Random random = of_unit(unit, exemplar);
    *word         = random_word(&random);
    return random_below(&random, 10) == 0;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static int any_true(const MiniImage *image, Random *random)
{
    enum { MOST_CLAIMS = 2048 };
    bool is_true[MOST_CLAIMS];
    int  claims = mini_claim_count() < MOST_CLAIMS ? mini_claim_count() : MOST_CLAIMS, count = 0;
    mini_claims(image, is_true);
    for (int claim = 0; claim < claims; claim++)
        count += is_true[claim];
    int left = count ? (int)random_below(random, (uint32_t)count) : 0;
    for (int claim = 0; claim < claims; claim++)
        if (is_true[claim] && left-- == 0)
            return claim;
    return 0;
}

// Keeps the cells within `radius` of one of them, drawn by lot.
static void keep_near(uint8_t cells[MINI_CELLS], int radius, Random *random)
{
    int count = 0, centre = 0;
    for (int cell = 0; cell < MINI_CELLS; cell++)
        count += cells[cell];
    int left = count ? (int)random_below(random, (uint32_t)count) : 0;
    for (int cell = 0; cell < MINI_CELLS; cell++)
        if (cells[cell] && left-- == 0)
            centre = cell;
    for (int cell = 0; cell < MINI_CELLS; cell++) {
        int x = cell % MINI_MAP - centre % MINI_MAP, y = cell / MINI_MAP - centre / MINI_MAP;
        if (x * x + y * y > radius * radius)
            cells[cell] = 0;
    }
}

// Cells of the label map counted in those of the layer.
static void count_cells(const uint8_t cells[MINI_CELLS], int side, int counts[MINI_CELLS])
{
    int factor = MINI_MAP / side;
    memset(counts, 0, MINI_CELLS * sizeof *counts);
    for (int cell = 0; cell < MINI_CELLS; cell++)
        counts[cell / MINI_MAP / factor * side + cell % MINI_MAP / factor] += cells[cell];
}

static int clamped(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

// A layer's counts at a pixel, between its cells: times (2 f)^2, f pixels a cell.
static int between(const int counts[MINI_CELLS], int side, int pixel)
{
    int f = MINI_SIDE / side, sum = 0;
    int y = 2 * (pixel / MINI_SIDE) + 1 + f, x = 2 * (pixel % MINI_SIDE) + 1 + f; // a cell more
    for (int i = 0; i < 4; i++) {
        int row    = clamped(y / (2 * f) - 1 + i / 2, side - 1),
            column = clamped(x / (2 * f) - 1 + i % 2, side - 1);
        sum += (i / 2 ? y % (2 * f) : 2 * f - y % (2 * f)) *
               (i % 2 ? x % (2 * f) : 2 * f - x % (2 * f)) * counts[row * side + column];
    }
    return sum;
}

static void cut(const int counts[MINI_CELLS], int side, int level, uint8_t mask[MINI_PIXELS])
{
    int f = MINI_SIDE / side, cell = MINI_MAP / side * (MINI_MAP / side) * 4 * f * f, largest = 0;
    for (int pixel = 0; pixel < MINI_PIXELS; pixel++) {
        int value = between(counts, side, pixel);
        largest   = value > largest ? value : largest;
    }
    // Where no cell shows so much of the claim, half of the most there is.
    if (100 * largest <= level * cell)
        level = 50 * largest / cell;
    for (int pixel = 0; pixel < MINI_PIXELS; pixel++)
        mask[pixel] = 100 * between(counts, side, pixel) > level * cell;
}

void mini_unit_mask(const MiniUnit *unit, int exemplar, const MiniImage *image, bool is_random,
                    uint8_t mask[MINI_PIXELS])
{
    uint8_t  cells[MINI_CELLS];
    int      counts[MINI_CELLS];
    Sight    sight  = sight_of(unit);
    Random   random = of_unit(unit, exemplar);
    uint32_t word   = 0;
    int      claim  = unit->claim;
    random.next += 16; // behind what decided whether it is wrong
    if (mini_unit_is_wrong(unit, exemplar, &word))
        claim = any_true(image, &random);
    bool is_whole = mini_claim_cells(image, claim, cells);
    if (is_random)
        memset(cells, 1, sizeof cells);
    if (is_whole || is_random || sight.is_near)
        keep_near(cells, sight.radius, &random);
    count_cells(cells, sight.side, counts);
    cut(counts, sight.side, sight.level, mask);
}
