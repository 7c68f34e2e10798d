/* The integer layers of edgekws. The Python definition is edgekws/graph/interp.py; ekw_node mirrors
 * Node of edgekws/graph/ir.py and is written by edgekws/emit/c/__init__.py: same names, same order.
 *
 * Tensors are bytes [channels][height][width], int8 or uint8. Per output channel c
 *
 *     acc = sum(x * w) + offset[c]           32 bits, never overflows (Graph.check)
 *     y   = clip(scaled(acc), lo, hi)        scaled: see ekw_rule
 *
 * Kernels allocate nothing, keep no state and need no library. The output may be the input itself where
 * edgekws/emit/c/arena.py says so: every kernel but linear and convolutions that read neighbours reads a
 * value before it overwrites it. Otherwise inputs, output and scratch must not overlap.
 */
#ifndef EKW_KERNELS_H
#define EKW_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* The arrays are null where the requantization only clips. */
typedef struct {
    const int32_t *offset; /* [channels] */
    const void *mult;      /* [channels], uint8_t 1..255 (EKW_SHIFT) or int32_t 2^30..2^31-1 (EKW_FIXED) */
    const uint8_t *shift;  /* [channels], 0..31 */
    int32_t lo;            /* 0 or -128 */
    int32_t hi;            /* 255 or 127 */
} ekw_requant;

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
} ekw_shape;

/* weight: bytes [filters][bytes of a filter], null in layers without weights. A filter is [c_in][k_h][k_w]
 * (conv2d), [k_h][k_w] (depthwise_conv2d) or [c_in][h][w] (linear) weights of 8, 4 or 2 bits in two's
 * complement, the first ones in the low bits; it begins at a byte and zeros fill its last one. */
typedef struct {
    ekw_requant requant;
    ekw_shape in_shape; /* of each input */
    ekw_shape out_shape;
    const int8_t *weight;
    int32_t kernel[2]; /* height, width of a filter or window; 0, 0 where there is none */
    int32_t stride[2]; /* down, right */
    int32_t pad[4];    /* top, bottom, left, right; filled with integer 0 */
} ekw_node;

typedef enum {
    EKW_CLIP,   /* acc */
    EKW_SHIFT,  /* (acc * mult[c]) >> shift[c], arithmetic shift, that is floor */
    EKW_FIXED,  /* acc * mult[c] / 2^31 rounded, then / 2^shift[c] rounded; |acc| < 2^30 */
    EKW_ONCE,   /* acc * mult[c] / 2^(31 + shift[c]) rounded, halves away from zero */
    EKW_GENERAL /* as ekw_general says */
} ekw_rule;

/* A node with all that models of other tools may have. EKW_FIXED and EKW_ONCE may have shifts down to -31 here, in two's
 * complement, which multiply acc by 2^-shift before; lo..hi may be part of the range of a byte; weights may be
 * -128, -8 or -2.
 *
 *     y = clip(scaled(acc) + zero, lo, hi) */
typedef struct {
    ekw_node node;
    int32_t zero;
    int32_t pad_value;
    int32_t dilation[2]; /* steps between taps: down, right */
    ekw_rule rule;
    int32_t is_plain; /* EKW_FIXED without any of that, but for padding and dilation: the fast code scales it */
    int32_t is_near;  /* the same with a zero point, and outputs of -128 to 127: some cores have fast code for it */
    int32_t is_signed;
    int32_t weight_bits;
} ekw_general;

/* The case that a kernel is compiled for. Inputs are -128..127 when signed, else 0..255; the output is int8 where
 * requant.lo is negative and uint8 otherwise. */
typedef struct {
    bool is_signed;
    bool is_second_signed; /* the other input of add */
    int32_t weight_bits;
    ekw_rule rule;
    const ekw_general *general; /* null in all other kernels, where padding is 0 and windows are not dilated */
} ekw_case;

/* Memory that a kernel may use while it runs, aligned to EKW_ALIGNMENT. The macros of sizes.h give its size;
 * more than the minimum makes convolutions faster. */
typedef struct {
    uint8_t *bytes;
    int32_t size;
} ekw_scratch;

#define EKW_ALIGNMENT 8

/* EKW_STATIC where a program has several models, whose kernels would have the same names. gcc 12 warns of loops that it
 * would compile for the sizes of one call. */
#ifndef EKW_LINKAGE
#define EKW_LINKAGE
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define EKW_STATIC static __attribute__((noipa))
#else
#define EKW_STATIC static
#endif

/* Defines a kernel from its body in kernels/<op>.h. A model defines only those that it needs; every case is
 * compiled separately, without branches on it at run time. */
#define EKW_KERNEL(name, body, ...)                                                                          \
    EKW_LINKAGE void name(const ekw_node *node, const void *input, void *output, ekw_scratch scratch);                    \
    __attribute__((noinline)) EKW_LINKAGE void name(const ekw_node *node, const void *input, void *output,                \
                                        ekw_scratch scratch) {                                                \
        body(node, input, output, scratch, (ekw_case){__VA_ARGS__});                                          \
    }

/* One kernel for every case of a general node. */
#define EKW_KERNEL_GENERAL(name, body)                                                                       \
    EKW_LINKAGE void name(const ekw_general *node, const void *input, void *output, ekw_scratch scratch);                 \
    __attribute__((noinline)) EKW_LINKAGE void name(const ekw_general *node, const void *input, void *output,             \
                                        ekw_scratch scratch) {                                                \
        body(&node->node, input, output, scratch,                                                             \
             (ekw_case){.is_signed = node->is_signed != 0,                                                    \
                        .weight_bits = node->weight_bits,                                                     \
                        .rule = node->is_plain ? EKW_FIXED : EKW_GENERAL,                                     \
                        .general = node});                                                                    \
    }

/* The same for two inputs. */
#define EKW_KERNEL_OF_TWO(name, body, ...)                                                                   \
    EKW_LINKAGE void name(const ekw_node *node, const void *first, const void *second, void *output);                     \
    __attribute__((noinline)) EKW_LINKAGE void name(const ekw_node *node, const void *first, const void *second,          \
                                        void *output) {                                                       \
        body(node, first, second, output, (ekw_case){__VA_ARGS__});                                           \
    }

#endif
