#ifndef EKW_STM32L4R5_CLOCK_H
#define EKW_STM32L4R5_CLOCK_H

/* 120 MHz for the core and all buses, from the internal 16 MHz oscillator (+-1 %). */
void ekw_clock_init(void);

#endif
