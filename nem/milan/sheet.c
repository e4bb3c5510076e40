/* nem/milan/sheet.c - the exemplars of a unit as one picture. */
#include "story.h"

#include <string.h>

bool sheet_open(Sheet *sheet, const Explainer *explainer, int64_t exemplars, Error *error)
{
    const Milan            *milan = explainer->state;
    const ActivationSource *layer = &explainer->inputs.layer;
    size_t                  photo = 3 * (size_t)layer->image_height * (size_t)layer->image_width;
    size_t                  area  = (size_t)milan->height * (size_t)milan->width;
    int64_t                 side  = milan->height > milan->width ? milan->height : milan->width;
    int64_t                 step = (side + SHEET_TILE - 1) / SHEET_TILE, columns = SHEET_COLUMNS;
    int64_t                 rows = (exemplars + columns - 1) / columns;
    *sheet              = (Sheet){.milan = milan, .inputs = &explainer->inputs, .step = step};
    sheet->image        = (Image){.width       = (int)(columns * (milan->width / step)),
                                  .height      = (int)(rows * (milan->height / step)),
                                  .channels    = 3,
                                  .orientation = 1};
    size_t pixels       = (size_t)sheet->image.width * (size_t)sheet->image.height;
    sheet->image.pixels = memory_new(pixels, 3, error);
    sheet->planes       = memory_new(photo, sizeof *sheet->planes, error);
    sheet->bytes        = memory_new(3 * area, 1, error);
    sheet->room         = memory_new(area, sizeof *sheet->room, error);
    sheet->mask         = memory_new(area, 1, error);
    return sheet->image.pixels && sheet->planes && sheet->bytes && sheet->room && sheet->mask;
}

void sheet_close(Sheet *sheet)
{
    image_free(&sheet->image);
    memory_free(sheet->planes);
    memory_free(sheet->bytes);
    memory_free(sheet->room);
    memory_free(sheet->mask);
    *sheet = (Sheet){0};
}

bool sheet_add(Sheet *sheet, int64_t rank, int64_t image, const float *map, float level,
               double *share, Error *error)
{
    const Milan *milan = sheet->milan;
    int64_t      area = milan->height * milan->width, step = sheet->step;
    int64_t      tile_height = milan->height / step, tile_width = milan->width / step;
    int64_t      top = rank / SHEET_COLUMNS * tile_height, left = rank % SHEET_COLUMNS * tile_width;
    if (!sheet->inputs->images.load(sheet->inputs->images.self, image, sheet->planes, error))
        return false;
    exemplar_bytes(milan, sheet->inputs, sheet->planes, sheet->bytes);
    *share = (double)exemplar_mask(milan, map, level, sheet->room, sheet->mask) / (double)area;
    for (int64_t y = 0; y < tile_height; y++)
        for (int64_t x = 0; x < tile_width; x++) {
            int64_t  from = y * step * milan->width + x * step;
            uint8_t *to   = sheet->image.pixels +
                          ((top + y) * sheet->image.width + left + x) * sheet->image.channels;
            for (int64_t c = 0; c < 3; c++)
                to[c] = (uint8_t)(sheet->bytes[c * area + from] / (sheet->mask[from] ? 1 : 3));
        }
    return true;
}
