#include "port/common/ring.h"

#include "port/common/core.h"
#include "port/port.h"

#ifndef EKW_RING_BYTES
#define EKW_RING_BYTES 512u
#endif

static volatile uint8_t ring[EKW_RING_BYTES];
static volatile uint32_t written, taken;

void ekw_ring_put(uint8_t byte) {
    if (written - taken < EKW_RING_BYTES) {
        ring[written % EKW_RING_BYTES] = byte;
        written++;
    }
}

bool ekw_port_byte_waits(void) {
    return written != taken;
}

/* Interrupts are off between the check of the ring and the sleep, so that no byte is missed. */
int ekw_port_getc(void) {
    ekw_interrupts_off();
    while (written == taken) {
        ekw_wait_for_interrupt();
        ekw_interrupts_on();
        ekw_interrupts_off();
    }
    const int byte = ring[taken % EKW_RING_BYTES];
    taken++;
    ekw_interrupts_on();
    return byte;
}
