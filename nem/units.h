/* nem/units.h - CSV tables that have a row for each unit: units.csv, and the methods' own. */
#ifndef NEM_UNITS_H
#define NEM_UNITS_H

#include "method.h"

/* Write a number with the fewest digits that read back as the same. */
void units_write_double(Writer *writer, double value);
void units_write_float(Writer *writer, float value);

/* How such a table is laid out: it has the columns unit and category, and those named here. */
typedef struct UnitTable {
    const char *file;
    const char *label, *score; // names of columns
    const char *threshold;     // likewise; NULL: none
    int64_t     first;         // number of the layer's first unit in it
} UnitTable;

/* Reads folder/file, rows in the order of units; names are looked up in labels, or kept as names
 * only where labels is NULL. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool unit_table_read(RunRecord *out, const UnitTable *table, const char *folder, Labels *labels,
                     Error *error);

#endif
