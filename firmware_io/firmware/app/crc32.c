#include "app/crc32.h"

uint32_t ekw_crc32(uint32_t crc, const uint8_t *bytes, int32_t count) {
    crc = ~crc;
    for (int32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int32_t bit = 0; bit < 8; bit++) {
            crc = (crc & 1u) != 0 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
        }
    }
    return ~crc;
}
