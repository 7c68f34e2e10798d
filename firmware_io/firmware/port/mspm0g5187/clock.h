#ifndef EKW_MSPM0G5187_CLOCK_H
#define EKW_MSPM0G5187_CLOCK_H

/* 80 MHz for the core, 40 MHz for the low-power peripherals, from the internal 32 MHz oscillator. */
void ekw_clock_init(void);

#endif
