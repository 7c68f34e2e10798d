#include <stdint.h>

#include "port/port.h"

/* By the linker script. */
extern const uint8_t ekw_text_start[], ekw_text_end[], ekw_data_load[], ekw_data_start[], ekw_data_end[];

static int32_t between(const uint8_t *start, const uint8_t *end) {
    return (int32_t)((uintptr_t)end - (uintptr_t)start);
}

void ekw_port_image(ekw_span parts[EKW_IMAGE_PARTS]) {
    parts[0] = (ekw_span){ekw_text_start, between(ekw_text_start, ekw_text_end)};
    parts[1] = (ekw_span){ekw_data_load, between(ekw_data_start, ekw_data_end)};
}
