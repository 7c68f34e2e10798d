#include "port/common/ring.h"

#include "port/common/core.h"
#include "port/port.h"

#define RING_BYTES 512u

static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t written, taken;

void ekw_ring_put(uint8_t byte) {
    if (written - taken < RING_BYTES) {
        ring[written % RING_BYTES] = byte;
        written++;
    }
}

/* Interrupts are off between the check of the ring and the sleep, so that no byte is missed. */
int ekw_port_getc(void) {
    ekw_interrupts_off();
    while (written == taken) {
        ekw_wait_for_interrupt();
        ekw_interrupts_on();
        ekw_interrupts_off();
    }
    const int byte = ring[taken % RING_BYTES];
    taken++;
    ekw_interrupts_on();
    return byte;
}
