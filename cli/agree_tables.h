/* cli/agree_tables.h - what `compare --text` and `agree` have in common: figures as tables, on the
 * terminal and in documents. */
#ifndef CLI_AGREE_TABLES_H
#define CLI_AGREE_TABLES_H

#include "../study/agreement.h"
#include "bert_options.h"
#include "outputs.h"

/* Refuses an output that is one of the first `count` inputs, or a path of theirs, or --bert; by
 * output_file_check or output_folder_check. Nothing where there is no output. */
typedef bool OutputCheck(const char *output, const UsedPath *used, int count, Error *error);
bool agree_output_check(const Settings *settings, int count, OutputCheck *check, Error *error);

/* The index-th input of the command line; a swap of a run that was cut off is finished first. */
bool agree_read(const Settings *settings, int index, Descriptions *out, Error *error);

/* Tokens weigh by how many descriptions of the first method have them (B5). */
bool agree_weigh(const Agreement *agreement, BertScore *bert, Error *error);

/* Figures over all units of `pairs` pairs (their first group each); `names`: what a pair is called,
 * NULL for a single one. `bert` may be NULL. */
bool agree_print_figures(const AgreeFigure (*figures)[AGREE_FIGURES], int pairs,
                         const char *const *names, const BertScore *bert, Error *error);

/* The array "figures": group (all, or a layer), figure, value, interval, chance, units. */
void agree_figures_json(const AgreeFigure (*figures)[AGREE_FIGURES], const Agreement *agreement,
                        JsonWriter *json);

/* ",0.123457", or "," where it is not a number. */
void agree_write_number(Writer *writer, double value);

/* "all", or the name of a layer. */
const char *agree_group_name(const Agreement *agreement, int group);

#endif
