/* nem/methods.c - the table of methods: a line each. */
#include "clip/clip.h"
#include "dissect/dissect.h"
#include "milan/milan.h"

static const Method *const methods[] = {
    &method_dissection,
    &method_milan,
    &method_clip_dissect,
};

const Method *method_at(int index)
{
    return index >= 0 && index < (int)(sizeof methods / sizeof *methods) ? methods[index] : NULL;
}
