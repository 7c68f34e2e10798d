/* Two tensors, element by element; the second is repeated where its step is 0. The first has the shape of the output. */
#ifndef EKW_PAIR_H
#define EKW_PAIR_H

#include "kernels/bytes.h"

/* How an input is read: (byte ^ flip) - zero, for rescaled_add * 2^(20 + left) * mult / 2^31 / 2^right. */
typedef struct {
    int32_t flip;
    int32_t zero;
    int32_t mult;
    int32_t left;
    int32_t right;
} ekw_operand;

/* How totals are scaled, as ekw_rule of kernels.h. */
enum { EKW_PAIR_CLIP, EKW_PAIR_SHIFT, EKW_PAIR_FIXED, EKW_PAIR_ONCE };

typedef struct {
    const int32_t *offset; /* [channels]; these three are null where the requantization only clips */
    const int32_t *mult;   /* [channels] */
    const int8_t *shift;   /* [channels], below 0: to the left, before; one rule only */
    int32_t rule;
    int32_t zero;
    int32_t lo;
    int32_t hi;
    int32_t count[3]; /* channels, rows, columns */
    int32_t second_step[3];
    ekw_operand first;
    ekw_operand second;
} ekw_pair_node;

#define EKW_ADD_SHIFT 20

EKW_BODY int32_t ekw_centred(uint8_t byte, const ekw_operand *operand) {
    return ekw_raised(byte, operand->flip) - operand->zero;
}

/* Graph.check proves that the value fits 32 bits before it is multiplied, too. */
EKW_BODY int32_t ekw_rescaled(uint8_t byte, const ekw_operand *operand) {
    const int32_t total = (int32_t)((uint32_t)ekw_centred(byte, operand) << (EKW_ADD_SHIFT + operand->left));
    return ekw_fixed_point(total, operand->mult, operand->right);
}

/* total * mult / 2^places rounded, halves away from zero; places is at least 1. */
EKW_BODY int32_t ekw_pair_once(int32_t total, int32_t mult, int32_t places) {
    const int64_t product = (int64_t)total * mult;
    return (int32_t)((product + (INT64_C(1) << (places - 1)) - (product < 0)) >> places);
}

/* The requantization of one channel. */
typedef struct {
    int32_t rule;
    int32_t offset;
    int32_t mult;
    int32_t left;
    int32_t right;
} ekw_pair_stage;

EKW_BODY ekw_pair_stage ekw_pair_stage_of(const ekw_pair_node *node, int32_t channel) {
    if (node->rule == EKW_PAIR_CLIP) {
        return (ekw_pair_stage){EKW_PAIR_CLIP, 0, 0, 0, 0};
    }
    const int32_t shift = node->shift[channel], left = shift < 0 ? -shift : 0;
    const int32_t right = node->rule == EKW_PAIR_ONCE ? 31 + shift : shift + left;
    return (ekw_pair_stage){node->rule, node->offset[channel], node->mult[channel], left, right};
}

EKW_BODY int32_t ekw_pair_scaled(const ekw_pair_stage *stage, int32_t total) {
    if (stage->rule == EKW_PAIR_CLIP) {
        return total;
    }
    total += stage->offset;
    if (stage->rule == EKW_PAIR_SHIFT) {
        return (total * stage->mult) >> stage->right;
    }
    if (stage->rule == EKW_PAIR_ONCE) {
        return ekw_pair_once(total, stage->mult, stage->right);
    }
    return ekw_fixed_point((int32_t)((uint32_t)total << stage->left), stage->mult, stage->right);
}

/* Constants are copied: bytes that are stored might be theirs, as far as the compiler knows. */
EKW_BODY void ekw_pair_each(const ekw_pair_node *node, const uint8_t *first, const uint8_t *second, uint8_t *output,
                            bool is_sum) {
    const ekw_operand a = node->first, b = node->second;
    const int32_t zero = node->zero, lo = node->lo, hi = node->hi, columns = node->count[2];
    const int32_t step = node->second_step[2];
    for (int32_t c = 0; c < node->count[0]; c++, second += node->second_step[0]) {
        const ekw_pair_stage stage = ekw_pair_stage_of(node, c);
        const uint8_t *row = second;
        for (int32_t i = 0; i < node->count[1]; i++, row += node->second_step[1]) {
            const uint8_t *other = row;
            for (int32_t j = columns; j > 0; j--, other += step) {
                const int32_t total = is_sum ? ekw_rescaled(*first++, &a) + ekw_rescaled(*other, &b)
                                             : ekw_centred(*first++, &a) * ekw_centred(*other, &b);
                const int32_t y = ekw_pair_scaled(&stage, total) + zero;
                *output++ = (uint8_t)(y < lo ? lo : y > hi ? hi : y);
            }
        }
    }
}

#endif
