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
    const int32_t total = ekw_centred(byte, operand) * (1 << (EKW_ADD_SHIFT + operand->left));
    return ekw_fixed_point(total, operand->mult, operand->right);
}

/* total * mult / 2^places rounded, halves away from zero; places is at least 1. */
EKW_BODY int32_t ekw_pair_once(int32_t total, int32_t mult, int32_t places) {
    const int64_t product = (int64_t)total * mult;
    return (int32_t)((product + (INT64_C(1) << (places - 1)) - (product < 0)) >> places);
}

EKW_BODY int32_t ekw_pair_scaled(const ekw_pair_node *node, int32_t total, int32_t channel) {
    if (node->rule == EKW_PAIR_CLIP) {
        return total;
    }
    total += node->offset[channel];
    const int32_t mult = node->mult[channel], shift = node->shift[channel];
    if (node->rule == EKW_PAIR_SHIFT) {
        return (total * mult) >> shift;
    }
    if (node->rule == EKW_PAIR_ONCE) {
        return ekw_pair_once(total, mult, 31 + shift) + node->zero;
    }
    total = shift < 0 ? (int32_t)((uint32_t)total << -shift) : total;
    return ekw_fixed_point(total, mult, shift < 0 ? 0 : shift) + node->zero;
}

EKW_BODY uint8_t ekw_pair_result(const ekw_pair_node *node, int32_t total, int32_t channel) {
    const int32_t y = ekw_pair_scaled(node, total, channel);
    return (uint8_t)(y < node->lo ? node->lo : y > node->hi ? node->hi : y);
}

EKW_BODY void ekw_pair_each(const ekw_pair_node *node, const uint8_t *first, const uint8_t *second, uint8_t *output,
                            bool is_sum) {
    for (int32_t c = 0; c < node->count[0]; c++, second += node->second_step[0]) {
        const uint8_t *row = second;
        for (int32_t i = 0; i < node->count[1]; i++, row += node->second_step[1]) {
            const uint8_t *other = row;
            for (int32_t j = 0; j < node->count[2]; j++, first++, other += node->second_step[2], output++) {
                const int32_t total =
                    is_sum ? ekw_rescaled(*first, &node->first) + ekw_rescaled(*other, &node->second)
                           : ekw_centred(*first, &node->first) * ekw_centred(*other, &node->second);
                *output = ekw_pair_result(node, total, c);
            }
        }
    }
}

#endif
