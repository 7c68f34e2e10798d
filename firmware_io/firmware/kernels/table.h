/* A function of one byte as a table, one for all channels or one for each. */
#ifndef EKW_TABLE_H
#define EKW_TABLE_H

#include "kernels/bytes.h"

typedef struct {
    const uint8_t *entries; /* [tables][256], by the input's byte */
    int32_t tables;
    int32_t plane; /* values that one table is for */
} ekw_table_node;

EKW_BODY void ekw_look_up(const ekw_table_node *node, const uint8_t *input, uint8_t *output) {
    const uint8_t *entries = node->entries;
    for (int32_t c = 0; c < node->tables; c++, entries += 256) {
        for (int32_t i = node->plane; i > 0; i--) {
            *output++ = entries[*input++];
        }
    }
}

#endif
