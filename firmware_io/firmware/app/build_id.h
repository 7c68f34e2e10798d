/* Which build this is: a hash of the whole image, which the build writes into it after linking
 * (firmware_io/build/build_id.py). Zeros in an image that was linked by other means. */
#ifndef EKW_BUILD_ID_H
#define EKW_BUILD_ID_H

#include <stdint.h>

#define EKW_BUILD_ID_BYTES 16
#define EKW_BUILD_ID_SHORT 4 /* as many tell two builds apart in the answer to `check` */

/* Puts the first `count` bytes in hexadecimal. */
void ekw_put_build_id(int32_t count);

#endif
