/* nem/units.h - tables that have a row for each unit: what units.csv and the methods' own share. */
#ifndef NEM_UNITS_H
#define NEM_UNITS_H

#include "method.h"

/* Numbers with the fewest digits that read back as the same. */
void units_write_double(Writer *writer, double value);
void units_write_float(Writer *writer, float value);

/* A CSV file with the columns unit, category and ... */
typedef struct UnitTable {
    const char *file;
    const char *label, *score; // names of columns
    const char *threshold;     // likewise; NULL: none
    int64_t     first;         // number of the layer's first unit in it
} UnitTable;

/* Its rows in the order of units; labels NULL: names only. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool unit_table_read(RunRecord *out, const UnitTable *table, const char *folder,
                     const Labels *labels, Error *error);

#endif
