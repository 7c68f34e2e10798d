/* The integer layers of edgekws. The Python definition is edgekws/graph/interp.py; ekw_node mirrors
 * Node of edgekws/graph/ir.py and is written by edgekws/emit/c.py: same names, same order.
 *
 * Tensors are bytes [height][width][channels], int8 or uint8. Per output channel c
 *
 *     acc = sum(x * w) + offset[c]                           32 bits, never overflows (Graph.check)
 *     y   = clip((acc * mult[c]) >> shift[c], lo, hi)        arithmetic shift, that is floor
 *
 * Kernels allocate nothing, keep no state and need no library. Input and output must not overlap.
 */
#ifndef EKW_KERNELS_H
#define EKW_KERNELS_H

#include <stdint.h>

typedef struct {
    const int32_t *offset; /* [channels] */
    const uint8_t *mult;   /* [channels], 1..255 */
    const uint8_t *shift;  /* [channels], 0..31 */
    int32_t lo;            /* 0 or -128 */
    int32_t hi;            /* 255 or 127 */
} ekw_requant;

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
} ekw_shape;

typedef struct {
    ekw_requant requant;
    ekw_shape in_shape;
    ekw_shape out_shape;
    const int8_t *weight; /* conv2d [c_out][k_h][k_w][c_in], depthwise [c][k_h][k_w], linear [c_out][h*w*c_in] */
    int32_t kernel[2];    /* height, width; 0, 0 where there is none */
    int32_t stride[2];    /* down, right */
    int32_t pad[4];       /* top, bottom, left, right; filled with integer 0 */
} ekw_node;

/* The suffix is the type of the input: s8 for -128..127, u8 for 0..255. The output is int8 where
 * requant.lo is negative and uint8 otherwise. */
void ekw_conv2d_s8(const ekw_node *node, const int8_t *input, uint8_t *output);
void ekw_conv2d_u8(const ekw_node *node, const uint8_t *input, uint8_t *output);
void ekw_depthwise_conv2d_s8(const ekw_node *node, const int8_t *input, uint8_t *output);
void ekw_depthwise_conv2d_u8(const ekw_node *node, const uint8_t *input, uint8_t *output);
void ekw_global_sum_pool_s8(const ekw_node *node, const int8_t *input, uint8_t *output);
void ekw_global_sum_pool_u8(const ekw_node *node, const uint8_t *input, uint8_t *output);
void ekw_linear_s8(const ekw_node *node, const int8_t *input, uint8_t *output);
void ekw_linear_u8(const ekw_node *node, const uint8_t *input, uint8_t *output);

#endif
