/* What each UART driver implements. */
#ifndef EKW_UART_H
#define EKW_UART_H

/* EKW_UART_BASE, EKW_CLOCK_HZ and EKW_BAUD come from the board's TOML file. 8 bits, no parity, 1 stop bit. */
void ekw_uart_init(void);
void ekw_uart_receive_interrupt(void);

/* Uses neither the receive buffer nor interrupts: also works inside a fault. */
void ekw_uart_putc_blocking(char c);

/* Waits until the last byte is on the line, its stop bit included. */
void ekw_uart_flush(void);

#endif
