/* Scores of a step to the probabilities of the keywords. Mirror of edgekws/graph/softmax.py. */
#ifndef EKW_POSTERIORS_H
#define EKW_POSTERIORS_H

#include <stdint.h>

#include "ekw_config.h"
#include "model.h"

/* Thousandths, rounded down, of each keyword. Scores are logits, or probabilities where the model ends in a softmax. */
static inline void ekw_posteriors(const int8_t scores[EKW_LABELS], uint16_t posteriors[EKW_DETECTOR_KEYWORDS]) {
#ifdef EKW_MODEL_PROBABILITIES
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        posteriors[k] = (uint16_t)((uint32_t)(scores[ekw_keyword_labels[k]] + 128) * 1000u / 256u);
    }
#else
    int32_t best = scores[0];
    for (int32_t i = 1; i < EKW_LABELS; i++) {
        best = scores[i] > best ? scores[i] : best;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < EKW_LABELS; i++) {
        sum += ekw_model_exp[best - scores[i]];
    }
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        posteriors[k] = (uint16_t)(ekw_model_exp[best - scores[ekw_keyword_labels[k]]] * 1000u / sum);
    }
#endif
}

#endif
