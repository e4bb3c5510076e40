#define PEAK peak_portable
#include "peak_body.h"
