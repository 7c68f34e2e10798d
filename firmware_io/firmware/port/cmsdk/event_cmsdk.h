/* Edges of boards that are emulated without pins: one byte `T` each on a second UART, EKW_EVENT_UART_BASE. */
#ifndef EKW_EVENT_CMSDK_H
#define EKW_EVENT_CMSDK_H

void ekw_event_init(void);

#endif
