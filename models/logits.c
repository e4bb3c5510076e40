/* models/logits.c - what the logits of one image say. */
#include "models.h"

#include <math.h>

int64_t logits_predicted(const real *logits, int64_t classes)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        best = logits[k] > logits[best] ? k : best;
    return best;
}

double logits_probability(const real *logits, int64_t classes, int64_t class)
{
    double sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += exp((double)logits[k] - (double)logits[class]);
    return 1 / sum;
}
