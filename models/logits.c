/* models/logits.c - what the logits of one image say, and how far two answers are apart. */
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

double logits_distance(const real *a, const real *b, int64_t classes)
{
    int64_t best_a = logits_predicted(a, classes), best_b = logits_predicted(b, classes);
    double  most_a = logits_probability(a, classes, best_a),
           most_b = logits_probability(b, classes, best_b), sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += pow(most_a * exp((double)a[k] - (double)a[best_a]) -
                       most_b * exp((double)b[k] - (double)b[best_b]),
                   2);
    return sqrt(sum);
}
