/* The inner loops. Every core defines, for its own packed formats,
 *
 *     EKW_PIXELS_STEP, EKW_FILTERS_STEP   it processes multiples of these
 *     EKW_STAGE_BYTES                     of scratch for each filter's requantization
 *     EKW_PACKED_SPARE                    bytes of scratch behind the packed pixels, to align them
 *     EKW_PIXEL_BYTES(taps)               of scratch for one packed pixel
 *     EKW_FILTER_BYTES(taps, bits)        of scratch for one unpacked filter; 0: it reads the packed weights
 *     EKW_PLANE_BYTES(node)               of scratch for a depthwise convolution
 *     ekw_pack_pointwise                  packs pixels of a 1x1 convolution
 *     ekw_pack_windows                    packs pixels of any other; windows.h has a simple implementation
 *     ekw_unpack                          unpacks filters
 *     ekw_prepare_stages                  prepares the requantization of each filter
 *     ekw_panel_run                       sums, scales and stores a block of pixels x filters
 *     ekw_plane, ekw_plane_...            depthwise convolutions, see depthwise_conv2d.h
 *     ekw_dot                             a packed filter of a linear layer times its input
 *     ekw_sum                             adds up bytes
 *
 * and may define
 *
 *     EKW_PACK                            set to EKW_SHARED where packing should be one function
 *     EKW_DRIVER                          how the body of a convolution is compiled; inline by default
 *     EKW_HAS_SHORTCUT                    ekw_depthwise_shortcut computes a depthwise convolution, or returns false
 *
 * How much scratch a model gets is decided when it is exported (edgekws/emit/c/scratch.py), by
 *
 *     EKW_PIXEL_BLOCK                     how many pixels are best packed at once
 *     EKW_KEPT_BYTES                      convolutions with larger unpacked filters unpack them in parts, once for each
 *                                         block of pixels
 *     EKW_UNPACKINGS                      how often those are unpacked */
#ifndef EKW_SELECT_H
#define EKW_SELECT_H

#include "kernels/cores/core.h"

#if EKW_CORE == EKW_PORTABLE
#include "kernels/cores/portable.h"
#elif EKW_CORE == EKW_DSP
#include "kernels/cores/dsp.h"
#elif EKW_CORE == EKW_MVE
#include "kernels/cores/mve.h"
#elif EKW_CORE == EKW_AVX2
#include "kernels/cores/avx2.h"
#else
#error "EKW_CORE should be one of kernels/cores/core.h"
#endif

#ifndef EKW_DRIVER
#define EKW_DRIVER EKW_BODY
#endif

#endif
