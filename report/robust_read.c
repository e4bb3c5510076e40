/* report/robust_read.c - the files of a run of robustness that its page is made of. */
#include "../format/npy.h"
#include "robust_report.h"

static bool read_array(const char *folder, const char *name, float **data, Shape *shape,
                       Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, error) && npy_read(path, data, shape, error);
}

bool robust_report_read(RobustReportRun *out, const char *folder, Error *error)
{
    RobustReportRun run = {.name = folder};
    Shape           photos, maps, attacked;
    bool            ok = robust_record_read(&run.record, folder, error) &&
              read_array(folder, "photos.npy", &run.photos, &photos, error) &&
              read_array(folder, "maps.npy", &run.maps, &maps, error) &&
              read_array(folder, "attacked.npy", &run.attacked, &attacked, error);
    if (ok)
        ok = (photos.rank == 4 && photos.dim[1] == 3 && maps.rank == 4 &&
              maps.dim[1] == photos.dim[0] && maps.dim[2] == 3 &&
              maps.dim[3] == photos.dim[2] * photos.dim[3]) ||
             fail(error, ERROR_DATA, "%s: maps.npy is %s, which does not fit photos.npy %s", folder,
                  SHAPE_TEXT(maps), SHAPE_TEXT(photos));
    if (ok)
        ok = (attacked.rank == 4 && attacked.dim[0] == maps.dim[0] * photos.dim[0] &&
              attacked.dim[1] == 3 && attacked.dim[2] == photos.dim[2] &&
              attacked.dim[3] == photos.dim[3]) ||
             fail(error, ERROR_DATA, "%s: attacked.npy is %s, which does not fit photos.npy %s",
                  folder, SHAPE_TEXT(attacked), SHAPE_TEXT(photos));
    if (!ok) {
        robust_report_close(&run);
        return false;
    }
    run.methods = maps.dim[0];
    run.shown   = photos.dim[0];
    run.height  = photos.dim[2];
    run.width   = photos.dim[3];
    *out        = run;
    return true;
}

void robust_report_close(RobustReportRun *run)
{
    robust_record_close(&run->record);
    memory_free(run->photos);
    memory_free(run->maps);
    memory_free(run->attacked);
    *run = (RobustReportRun){0};
}
