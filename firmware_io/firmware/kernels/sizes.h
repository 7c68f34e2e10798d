/* Sizes of scratch memory are macros, each beside the code that lays the memory out. The compiler evaluates them, and so
 * does the host, which plans memory without a compiler (edgekws/emit/c/macros.py): they consist of integers,
 * + - * / % & << >> ~ && and comparisons of what is not negative, fields of a node, other macros, and EKW_IF for ?:. */
#ifndef EKW_SIZES_H
#define EKW_SIZES_H

#define EKW_IF(condition, yes, no) ((condition) ? (yes) : (no))
#define EKW_LARGER(a, b) EKW_IF((a) > (b), a, b)
#define EKW_ROUND_UP(value, step) (((value) + (step) - 1) / (step) * (step))

/* Weights of one filter, of one channel of it, and the elements of a plane. */
#define EKW_TAPS(node) ((node)->kernel[0] * (node)->kernel[1] * (node)->in_shape.channels)
#define EKW_CHANNEL_TAPS(node) ((node)->kernel[0] * (node)->kernel[1])
#define EKW_IN_PLANE(node) ((node)->in_shape.height * (node)->in_shape.width)
#define EKW_OUT_PLANE(node) ((node)->out_shape.height * (node)->out_shape.width)

/* Of the input with its padding. */
#define EKW_PADDED_ROWS(node) ((node)->in_shape.height + (node)->pad[0] + (node)->pad[1])
#define EKW_PADDED_COLUMNS(node) ((node)->in_shape.width + (node)->pad[2] + (node)->pad[3])

#endif
