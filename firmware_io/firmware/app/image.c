#include "app/image.h"

#include "app/crc32.h"
#include "app/text.h"
#include "port/port.h"

void ekw_image_print(void) {
    ekw_span parts[EKW_IMAGE_PARTS];
    uint32_t crc = 0;
    int32_t total = 0;
    ekw_port_image(parts);
    for (int32_t i = 0; i < EKW_IMAGE_PARTS; i++) {
        crc = ekw_crc32(crc, parts[i].bytes, parts[i].count);
        total += parts[i].count;
    }
    ekw_put("m-image-crc32-[");
    if (total == 0) {
        ekw_put("unknown");
    } else {
        ekw_put_hex(crc, 8);
    }
    ekw_put_line("]");
}
