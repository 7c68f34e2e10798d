/* Shared by the kernels that read bytes of either type with the same code. Their structures hold only pointers and
 * int32_t; edgekws/emit/c/extended.py writes them: same names, same order.
 *
 * flip is 0x80 for inputs of int8 and 0 for uint8: byte ^ flip is 0..255 in the order of the values. */
#ifndef EKW_BYTES_H
#define EKW_BYTES_H

#include "kernels/inner.h"

/* Defines a kernel from its body in kernels/<op>.h, for nodes of one type. */
#define EKW_KERNEL_AS(type, name, body)                                                                      \
    EKW_LINKAGE void name(const type *node, const void *input, void *output);                                             \
    __attribute__((noinline)) EKW_LINKAGE void name(const type *node, const void *input, void *output) {                  \
        body(node, input, output);                                                                            \
    }

/* The same for two inputs. */
#define EKW_KERNEL_OF_TWO_AS(type, name, body)                                                               \
    EKW_LINKAGE void name(const type *node, const void *first, const void *second, void *output);                         \
    __attribute__((noinline)) EKW_LINKAGE void name(const type *node, const void *first, const void *second,              \
                                        void *output) {                                                       \
        body(node, first, second, output);                                                                    \
    }

EKW_BODY int32_t ekw_raised(uint8_t byte, int32_t flip) {
    return (uint8_t)(byte ^ flip);
}

/* The value that is stored, limited to lo..hi. */
EKW_BODY uint8_t ekw_limited(uint8_t byte, int32_t flip, int32_t lo, int32_t hi) {
    const int32_t value = ekw_raised(byte, flip) - flip;
    return (uint8_t)(value < lo ? lo : value > hi ? hi : value);
}

#endif
