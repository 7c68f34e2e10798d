#include "app/check.h"

#include <stdbool.h>
#include <stdint.h>

#include "app/crc32.h"
#include "app/text.h"

static uint32_t received, sent;
static bool answered; /* `check` was answered and no byte has arrived since */

static uint32_t more(uint32_t crc, char c) {
    const uint8_t byte = (uint8_t)c;
    return ekw_crc32(crc, &byte, 1);
}

void ekw_check_received(char c) {
    if (answered) {
        received = sent = 0;
        answered = false;
    }
    received = more(received, c);
}

void ekw_check_sent(char c) {
    if (!answered) {
        sent = more(sent, c);
    }
}

void ekw_check_command(const char *first, const char *second) {
    (void)first, (void)second;
    answered = true;
    ekw_put("m-check-[");
    ekw_put_hex(received, 8);
    ekw_put(",");
    ekw_put_hex(sent, 8);
    ekw_put_line("]");
}
