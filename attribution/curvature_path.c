/* attribution/curvature_path.c - see curvature_path.h. */
#include "curvature_path.h"

#include <math.h>
#include <string.h>

const double curvature_turn = 0.01, curvature_reach = 0.01, curvature_allowance = 0.02;

bool curvature_path_open(CurvaturePath *out, Curvature *curvature, const real *end, int64_t steps,
                         Error *error)
{
    CurvaturePath path  = {.curvature = curvature, .end = end, .steps = steps};
    size_t        count = (size_t)curvature->count;
    path.start          = memory_new(count, sizeof(real), error);
    path.first_normal   = memory_new(count, sizeof(real), error);
    path.course         = memory_new(count, sizeof(real), error);
    path.before         = memory_new(count, sizeof(real), error);
    if (!path.start || !path.first_normal || !path.course || !path.before) {
        curvature_path_close(&path);
        return false;
    }
    *out = path;
    return true;
}

void curvature_path_close(CurvaturePath *path)
{
    memory_free(path->start);
    memory_free(path->first_normal);
    memory_free(path->course);
    memory_free(path->before);
    *path = (CurvaturePath){0};
}

static double distance(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

bool curvature_path_begin(CurvaturePath *path, const real *start, uint64_t seed, Error *error)
{
    Curvature *curvature = path->curvature;
    size_t     size      = (size_t)curvature->count * sizeof(real);
    path->done           = 0;
    path->row            = (CurvatureStep){0};
    memcpy(path->start, start, size);
    memcpy(curvature->image, start, size);
    curvature_start(curvature, seed);
    if (!curvature_measure(curvature, &path->row.point, error))
        return false;
    path->level = path->row.point.value;
    curvature_switches(curvature);
    memcpy(path->first_normal, curvature->normal, size);
    memcpy(path->course, curvature->direction, size);
    return true;
}

// Along the principal direction, whose sense is that of the step before.
static void follow_direction(CurvaturePath *path)
{
    Curvature *curvature = path->curvature;
    double     size = fabs(path->row.point.lambda), along = 0;
    double     length = curvature_reach * sqrt((double)curvature->count);
    if (size * length > curvature_turn)
        length = curvature_turn / size;
    for (int64_t i = 0; i < curvature->count; i++)
        along += (double)curvature->direction[i] * (double)path->course[i];
    for (int64_t i = 0; i < curvature->count; i++) {
        path->course[i] = along < 0 ? -curvature->direction[i] : curvature->direction[i];
        curvature->image[i] =
            (real)((double)curvature->image[i] + length * (double)path->course[i]);
    }
}

static void follow_line(CurvaturePath *path)
{
    double share = (double)(path->done + 1) / (double)path->steps;
    for (int64_t i = 0; i < path->curvature->count; i++)
        path->curvature->image[i] =
            (real)((1 - share) * (double)path->start[i] + share * (double)path->end[i]);
}

bool curvature_path_step(CurvaturePath *path, Error *error)
{
    Curvature    *curvature = path->curvature;
    CurvatureStep row       = path->row;
    memcpy(path->before, curvature->image, (size_t)curvature->count * sizeof(real));
    if (path->end)
        follow_line(path);
    else
        follow_direction(path);
    if (!curvature_project(curvature, path->level, error) ||
        !curvature_measure(curvature, &row.point, error))
        return false;
    double length = distance(curvature->image, path->before, curvature->count);
    row.path_length += length;
    row.integral += length * (fabs(path->row.point.lambda) + fabs(row.point.lambda)) / 2;
    row.distance = distance(curvature->normal, path->first_normal, curvature->count);
    row.switches = curvature_switches(curvature);
    path->row    = row;
    path->done++;
    return true;
}
