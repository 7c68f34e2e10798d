/* Output of fault reports: waits for each byte, needs no interrupts and no buffers. */
#ifndef EKW_REPORT_H
#define EKW_REPORT_H

#include <stdint.h>

void ekw_report(const char *text);
void ekw_report_field(const char *name, uint32_t value); /* name, then eight hexadecimal digits */

/* Ends the line and stops for good. */
__attribute__((noreturn)) void ekw_report_end(void);

#endif
