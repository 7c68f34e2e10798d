#ifndef EKW_CRC32_H
#define EKW_CRC32_H

#include <stdint.h>

/* CRC-32 of ISO-HDLC (zlib, Ethernet): reflected 0x04C11DB7, initial and final value all ones. `crc`: the result
 * so far, 0 for the first bytes. */
uint32_t ekw_crc32(uint32_t crc, const uint8_t *bytes, int32_t count);

#endif
