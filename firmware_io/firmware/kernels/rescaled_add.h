/* The sum of two tensors, each scaled to a common scale first. */
#ifndef EKW_RESCALED_ADD_H
#define EKW_RESCALED_ADD_H

#include "kernels/pair.h"

EKW_BODY void ekw_rescaled_add(const ekw_pair_node *node, const uint8_t *first, const uint8_t *second, uint8_t *output) {
    ekw_pair_each(node, first, second, output, true);
}

#endif
