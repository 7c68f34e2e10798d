#ifndef EKW_SOFTMAX_H
#define EKW_SOFTMAX_H

#include <stdint.h>

#include "model.h"

/* Probabilities in thousandths, truncated. Mirror of permille() in edgekws/graph/softmax.py. */
void ekw_softmax_permille(const int8_t scores[EKW_MODEL_LABELS], uint16_t permille[EKW_MODEL_LABELS]);

#endif
