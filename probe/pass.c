/* probe/pass.c - see pass.h. */
#include "pass.h"

bool pass_cancelled(const Pass *pass)
{
    return pass->cancel && *pass->cancel;
}

void pass_images(const Pass *pass, int64_t images, int64_t *first, int64_t *past)
{
    share_range(pass->share, images, PASS_GROUP, first, past);
}

bool pass_saves(const Pass *pass, bool cancelled)
{
    return pass->checkpoint && (cancelled || checkpoint_due(pass->checkpoint));
}

bool pass_interrupted(const Pass *pass, int64_t done, int64_t total, Error *error)
{
    return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld images%s", (long long)done,
                (long long)total, pass->checkpoint ? CHECKPOINT_HINT : "");
}

void pass_progress(const Pass *pass, int64_t done, int64_t total)
{
    if (pass->progress)
        pass->progress(pass->progress_self, done, total);
}

Pass pass_within(const Pass *pass, const char *file, const char *phase)
{
    return (Pass){
        .cancel = pass->cancel, .checkpoint = pass->checkpoint, .file = file, .phase = phase};
}
