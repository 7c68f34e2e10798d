/* What a board gives to the firmware. One folder under port/ per family of boards implements it. */
#ifndef EKW_PORT_H
#define EKW_PORT_H

#include <stdint.h>

void ekw_port_init(void);

/* The next byte from the host. Sleeps until there is one. */
int ekw_port_getc(void);

/* Writes one byte to the host; may keep it until the end of the line. */
void ekw_port_putc(char c);

/* Ticks of EKW_TIMER_HZ since ekw_port_init. 64 bits: never wraps. */
uint64_t ekw_port_ticks(void);

/* Bytes of the stack: there are, and were in use at the deepest moment since the reset, interrupts
 * included. Both 0: this board cannot tell. */
uint32_t ekw_port_stack_size(void);
uint32_t ekw_port_stack_used(void);

#endif
