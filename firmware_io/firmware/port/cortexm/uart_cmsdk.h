/* Driver of the CMSDK APB UART (Arm DDI 0479), as the MPS2 and MPS3 boards have it. */
#ifndef EKW_UART_CMSDK_H
#define EKW_UART_CMSDK_H

#include <stdint.h>

/* EKW_UART_BASE, EKW_CLOCK_HZ and EKW_BAUD come from the board's TOML file. */
void ekw_uart_init(uint32_t receive_irq);
void ekw_uart_receive_interrupt(void);

#endif
