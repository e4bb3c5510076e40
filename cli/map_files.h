/* cli/map_files.h - what `attribute` writes into its folder: arrays and pictures of maps. */
#ifndef CLI_MAP_FILES_H
#define CLI_MAP_FILES_H

#include "../engine/blob.h"
#include "run_folder.h"

extern const ResultKind map_result; // with run.json

/* What a run leaves of one map. `name` is NAME-METHOD, without an ending. */
typedef struct MapFiles {
    const char        *folder, *name;
    const float       *map; // [height, width]
    const double      *raw; // [channels, height, width]; NULL: not wanted
    int64_t            channels, height, width;
    const real        *image;       // the prepared tensor, for the overlay
    const Preparation *preparation; // NULL: no overlay
} MapFiles;

/* Writes name.npy, name.png, name-overlay.png, and name-raw.npy where it is wanted. Pictures show
 * the map up to the size that 99 of 100 of its values do not exceed, since few pixels are far above
 * the others: in heat colours, or where it has negative values in blue and red. */
bool map_files_write(const MapFiles *files, Error *error);

/* name-photo.png: the prepared image as the network sees it. Nothing where there is no
 * preparation. */
bool map_photo_write(const MapFiles *files, Error *error);

#endif
