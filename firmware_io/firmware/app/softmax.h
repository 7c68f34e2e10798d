#ifndef EKW_SOFTMAX_H
#define EKW_SOFTMAX_H

#include <stdint.h>

#include "model.h"

/* Probabilities in thousandths, truncated. Mirror of edgekws/graph/softmax.py. Scores are logits, or probabilities
 * where the model ends in a softmax. */
void ekw_softmax_permille(const int8_t scores[EKW_MODEL_LABELS], uint16_t permille[EKW_MODEL_LABELS]);

#endif
