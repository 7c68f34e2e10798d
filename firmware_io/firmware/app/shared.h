/* Commands that both firmwares have. */
#ifndef EKW_SHARED_H
#define EKW_SHARED_H

#include <stdint.h>

#if EKW_ENERGY_MODE
#define EKW_STAMP_HELP "falling edge of the pin"
#else
#define EKW_STAMP_HELP "microseconds since boot"
#endif

void ekw_answer_help(const char *first, const char *second);
void ekw_answer_name(const char *first, const char *second);
void ekw_answer_timestamp(const char *first, const char *second);
void ekw_answer_memory(const char *first, const char *second);
void ekw_answer_image(const char *first, const char *second);

/* A time stamp: a line with the microseconds since boot, or in energy mode an edge of a pin. */
void ekw_stamp(void);
void ekw_put_microseconds(uint64_t ticks);

#endif
