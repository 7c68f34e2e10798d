#include "app/text.h"

#include <stddef.h>

#include "app/crc32.h"
#include "port/port.h"

static uint32_t crc; /* of the bytes put since the last restart */

static void put(char c) {
    const uint8_t byte = (uint8_t)c;
    crc = ekw_crc32(crc, &byte, 1);
    ekw_port_putc(c);
}

uint32_t ekw_put_crc32(void) {
    return crc;
}

void ekw_put_crc32_restart(void) {
    crc = 0;
}

void ekw_put(const char *text) {
    while (*text != '\0') {
        put(*text++);
    }
}

void ekw_put_line(const char *text) {
    ekw_put(text);
    ekw_put("\r\n");
}

/* Long division with digits of 16 bits. The compiler's own 64-bit division is 700 to 1900 bytes of code. */
uint64_t ekw_divide(uint64_t value, uint32_t divisor, uint32_t *rest) {
    uint64_t quotient = 0;
    uint32_t carried = 0;
    for (int32_t place = 48; place >= 0; place -= 16) {
        const uint32_t part = (carried << 16) | ((uint32_t)(value >> place) & 0xFFFFu);
        quotient = (quotient << 16) | (part / divisor);
        carried = part % divisor;
    }
    *rest = carried;
    return quotient;
}

void ekw_put_unsigned(uint64_t value) {
    char digits[20]; /* 2^64 has 20 */
    size_t count = 0;
    do {
        uint32_t digit;
        value = ekw_divide(value, 10, &digit);
        digits[count++] = (char)('0' + digit);
    } while (value != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

void ekw_put_signed(int32_t value) {
    if (value < 0) {
        put('-');
    }
    ekw_put_unsigned(value < 0 ? (uint64_t)(-(int64_t)value) : (uint64_t)value);
}

void ekw_put_hex(uint32_t value, int32_t digits) {
    for (int32_t i = digits - 1; i >= 0; i--) {
        put("0123456789abcdef"[(value >> (4 * i)) & 15u]);
    }
}

void ekw_put_permille(uint32_t thousandths) {
    ekw_put_unsigned(thousandths / 1000);
    put('.');
    for (uint32_t unit = 100; unit > 0; unit /= 10) {
        ekw_put_unsigned(thousandths / unit % 10);
    }
}

bool ekw_same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++, b++;
    }
    return *a == *b;
}

int32_t ekw_hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ekw_parse_decimal(const char *text, int32_t *value) {
    const bool negative = *text == '-';
    int64_t magnitude = 0;
    text += negative ? 1 : 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        magnitude = magnitude * 10 + (*text - '0');
        magnitude = magnitude > INT32_MAX ? INT32_MAX : magnitude;
    }
    *value = (int32_t)(negative ? -magnitude : magnitude);
    return true;
}

int32_t ekw_parse_argument(const char *text, int32_t absent, int32_t invalid) {
    int32_t value = absent;
    return text[0] == '\0' || ekw_parse_decimal(text, &value) ? value : invalid;
}
