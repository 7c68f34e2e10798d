/* Bytes between a receive interrupt, which puts them, and ekw_port_getc, which sleeps until there is one. */
#ifndef EKW_RING_H
#define EKW_RING_H

#include <stdint.h>

/* A byte is lost when the ring is full; the ring holds more than the longest command, and the host
 * sends the next one only after m-ready. */
void ekw_ring_put(uint8_t byte);

#endif
