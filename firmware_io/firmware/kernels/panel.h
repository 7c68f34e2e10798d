/* A block of packed pixels times a block of filters: the interface between the driver of a convolution and a core. */
#ifndef EKW_PANEL_H
#define EKW_PANEL_H

#include "kernels/inner.h"

typedef struct {
    const uint8_t *pixels;  /* packed by ekw_pack_... */
    const uint8_t *filters; /* unpacked, or the packed weights as they are in flash */
    const uint8_t *stages;  /* requantization of all filters, from ekw_prepare_stages */
    int32_t taps;
    int32_t pixel_count;
    int32_t filter_count;
    int32_t first_filter; /* its number among all filters */
    uint8_t *output;      /* of the first pixel and filter */
    int32_t plane;        /* bytes from a filter's outputs to the next one's */
} ekw_panel;

#endif
