/* Text to the host without a C library. */
#ifndef EKW_TEXT_H
#define EKW_TEXT_H

#include <stdbool.h>
#include <stdint.h>

void ekw_put(const char *text);
void ekw_put_line(const char *text); /* adds CR LF, as every line of the protocol ends */
void ekw_put_unsigned(uint64_t value);
void ekw_put_signed(int32_t value);
void ekw_put_hex(uint32_t value, int32_t digits);
void ekw_put_permille(uint32_t thousandths); /* 123 as 0.123, 1000 as 1.000 */

/* CRC-32 of all bytes put since the boot or the last restart. */
uint32_t ekw_put_crc32(void);
void ekw_put_crc32_restart(void);

/* divisor: 1 to 65535. rest: the remainder. */
uint64_t ekw_divide(uint64_t value, uint32_t divisor, uint32_t *rest);

bool ekw_same(const char *a, const char *b);

/* 0..15, or -1 for any other character. */
int32_t ekw_hex_digit(char c);

/* A decimal with an optional minus sign; saturates at the limits of int32. False: not a number. */
bool ekw_parse_decimal(const char *text, int32_t *value);

/* A decimal argument of a command; `absent` when it is empty, `invalid` when it is not a number. */
int32_t ekw_parse_argument(const char *text, int32_t absent, int32_t invalid);

#endif
