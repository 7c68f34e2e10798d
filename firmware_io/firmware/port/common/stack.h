/* Peak stack use: the stack is painted at the reset, and overwritten words were in use. */
#ifndef EKW_STACK_H
#define EKW_STACK_H

#include <stdint.h>

extern uint32_t ekw_stack_limit[], ekw_stack_top[]; /* lowest word and end, by the linker script */

/* Before main. */
void ekw_stack_paint(void);

#endif
