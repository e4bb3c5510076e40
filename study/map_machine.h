/* study/map_machine.h - what one method needs of a network: maps with ReLU and with softplus,
 * outputs of both, and the attack. */
#ifndef STUDY_MAP_MACHINE_H
#define STUDY_MAP_MACHINE_H

#include "map_study.h"

typedef struct MapMachine {
    const MapStudy *study;
    int             method;
    MapRunner       relu, softplus;
    LayerRunner     relu_outputs, softplus_outputs; // the second only where softplus is attacked
    Graph          *graph;                          // of the attack
    NodeId          beta;
    Map             map;
    MapAttack       attack;
    real            low[3], high[3];
} MapMachine;

/* Errors: those of map_build. */
bool map_machine_open(MapMachine *out, const MapStudy *study, int method, Error *error);
void map_machine_close(MapMachine *machine); // accepts a zeroed object

/* A network and how maps are smoothed. */
typedef struct MapView {
    double  beta;   // 0: ReLU
    int64_t copies; // 0: no SmoothGrad
    double  level;
} MapView;

/* The map of an image. Noise is not that of the attack, and the same for images of one pair. Valid
 * until the next map of the same network. */
const float *map_machine_explain(MapMachine *machine, MapView view, const real *image,
                                 int64_t class, int64_t pair);

/* Logits of the ReLU network, or of softplus with the last beta of the attack. */
void map_machine_outputs(MapMachine *machine, bool softplus, const real *image, real *logits);

#endif
