/* What the flash memory holds: CRC-32 of this image as it lies there, for the host to compare with its file. */
#ifndef EKW_IMAGE_H
#define EKW_IMAGE_H

void ekw_image_print(void);

#endif
