#include "port/cmsdk/event_cmsdk.h"

#include "port/common/core.h"
#include "port/port.h"

#define DATA EKW_REGISTER(EKW_EVENT_UART_BASE + 0x00u)
#define STATE EKW_REGISTER(EKW_EVENT_UART_BASE + 0x04u)
#define CTRL EKW_REGISTER(EKW_EVENT_UART_BASE + 0x08u)
#define BAUDDIV EKW_REGISTER(EKW_EVENT_UART_BASE + 0x10u)

#define STATE_TX_FULL (1u << 0)
#define CTRL_TX (1u << 0)
#define FASTEST 16u /* clocks per bit that this UART can do */

void ekw_event_init(void) {
    BAUDDIV = FASTEST;
    CTRL = CTRL_TX;
}

void ekw_port_event(char byte) {
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = (uint8_t)byte;
}

void ekw_port_edge(void) {
    ekw_port_event('T');
}
