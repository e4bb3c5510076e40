/* tests/toy/methods.c - the toy program's table, in place of nem/methods.c. */
#include "../../nem/dissect/dissect.h"

extern const Method method_brightest, method_palette;

const Method *method_at(int index)
{
    static const Method *const methods[] = {&method_dissection, &method_brightest, &method_palette};
    return index >= 0 && index < 3 ? methods[index] : NULL;
}
