/* Time from SysTick, which every Cortex-M has: 24 bits at the core's clock, extended to 64. */
#ifndef EKW_SYSTICK_H
#define EKW_SYSTICK_H

void ekw_systick_start(void);
void ekw_systick_interrupt(void);

#endif
