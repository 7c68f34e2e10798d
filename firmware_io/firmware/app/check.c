#include "app/check.h"

#include <stdbool.h>
#include <stdint.h>

#include "app/build_id.h"
#include "app/crc32.h"
#include "app/text.h"

static uint32_t received;
static bool answered; /* `check` was answered and no byte has arrived since */

void ekw_check_received(char c) {
    const uint8_t byte = (uint8_t)c;
    if (answered) {
        received = 0;
        ekw_put_crc32_restart();
        answered = false;
    }
    received = ekw_crc32(received, &byte, 1);
}

void ekw_check_command(const char *first, const char *second) {
    (void)first, (void)second;
    const uint32_t sent = ekw_put_crc32(); /* without this answer */
    answered = true;
    ekw_put("m-check-[");
    ekw_put_hex(received, 8);
    ekw_put(",");
    ekw_put_hex(sent, 8);
    ekw_put(",");
    ekw_put_build_id(EKW_BUILD_ID_SHORT);
    ekw_put_line("]");
}
