#include "app/softmax.h"

#ifdef EKW_MODEL_PROBABILITIES

void ekw_softmax_permille(const int8_t scores[EKW_MODEL_LABELS], uint16_t permille[EKW_MODEL_LABELS]) {
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        permille[i] = (uint16_t)((uint32_t)(scores[i] + 128) * 1000u / 256u);
    }
}

#else

void ekw_softmax_permille(const int8_t scores[EKW_MODEL_LABELS], uint16_t permille[EKW_MODEL_LABELS]) {
    int32_t best = scores[0];
    for (int32_t i = 1; i < EKW_MODEL_LABELS; i++) {
        best = scores[i] > best ? scores[i] : best;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        sum += ekw_model_exp[best - scores[i]];
    }
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        permille[i] = (uint16_t)(ekw_model_exp[best - scores[i]] * 1000u / sum);
    }
}

#endif
