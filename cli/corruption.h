/* cli/corruption.h - what the verbs noise and attack share: they open a finished clean run again,
 * go through several settings, save their rows after each, and publish the same files. */
#ifndef CLI_CORRUPTION_H
#define CLI_CORRUPTION_H

#include "bert_options.h"
#include "clean_run.h"

/* What the plan of an attack says in short. */
typedef struct AttackFacts {
    int64_t total, shared, images;
} AttackFacts;

typedef struct Corruption {
    Run           run;
    CleanRunFiles baseline;
    StoreArm      arms[STORE_ARMS];
    int           arm_count;
    BertScore    *bert; // NULL: none asked for
    Likeness      likeness;
    Changes       earlier; // of an unfinished run of the same settings
    Changes       changes;
    AttackFacts   plan;               // of an attack, once it is made
    char          images[LIMIT_PATH]; // folder of stored images
} Corruption;

/* Claims the run folder, opens the baseline, and puts the settings that both verbs have into the
 * run's identity. The caller adds its own settings to it before corruption_load. */
bool corruption_open(Corruption *out, const Verb *verb, const Settings *settings, Error *error);

/* Compares the identity with that of a run that is in the folder. Unless that run is finished
 * (run.folder.is_done), opens the rest of the baseline and reads a checkpoint. */
bool corruption_load(Corruption *corruption, Error *error);

/* Where perturbed images are published: *folder exists, or is NULL without --keep-images. To be
 * called last before they are made: they are stored before anything else is kept, so what an
 * earlier run left in the folder goes now. */
bool corruption_store(Corruption *corruption, const char **folder, Error *error);

/* The observer of a sweep: saves the rows and publishes changes.csv.part after each setting; rows
 * of an earlier run that come again are there already. `self` is a Corruption. */
ChangeObserver corruption_observer(Corruption *corruption);
bool           corruption_checkpoint(void *self, const Changes *changes, Error *error);

/* About how much it will write: `rows` of changes.csv, and with --keep-images so many images in
 * each store. */
int64_t corruption_bytes(const Corruption *corruption, int64_t rows, int64_t images);

/* Writes changes.csv, summary.csv and run.json and shows the summary. */
bool corruption_publish(Corruption *corruption, Error *error);

/* Says where the results are. Errors: ERROR_IO of stdout. */
bool corruption_tell(const Corruption *corruption, Error *error);

/* Removes a folder that nothing was written to when `ok` is false. Accepts a zeroed object. */
void corruption_close(Corruption *corruption, bool ok);

#endif
