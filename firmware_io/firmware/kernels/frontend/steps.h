/* Input steps of the network from sums of the DCT; the definition is edgekws/features/fixed.py. */
#ifndef EKW_FRONTEND_STEPS_H
#define EKW_FRONTEND_STEPS_H

#include "kernels/frontend/arithmetic.h"
#include "kernels/sizes.h"

#define EKW_FRONTEND_PAIRS ((EKW_FRONTEND_BANDS + 1) / 2)
#define EKW_FRONTEND_COSINES EKW_ROUND_UP(EKW_FRONTEND_PAIRS, 2) /* of one order, in ekw_frontend_cosines */

EKW_BODY int32_t ekw_fe_steps(int32_t sum, int32_t c) {
    const int32_t value = ekw_fe_mul(sum, ekw_frontend_mult[c]), shift = ekw_frontend_shift[c];
#if EKW_FRONTEND_TRUNCATES
    const int32_t below = (int32_t)((UINT32_C(1) << shift) - 1);
    int32_t steps = (value >> shift) + ekw_frontend_zero[c];
    steps += steps < 0 && (value & below) != 0;
#else
    const int32_t steps = ((value + (1 << (shift - 1))) >> shift) + ekw_frontend_zero[c];
#endif
    return steps < -128 ? -128 : steps > 127 ? 127 : steps;
}

#endif
