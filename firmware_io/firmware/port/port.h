/* The interface of a board. One folder under port/ per family of boards implements it. */
#ifndef EKW_PORT_H
#define EKW_PORT_H

#include <stdbool.h>
#include <stdint.h>

void ekw_port_init(void);

/* The next byte from the host. Sleeps until it arrives. */
int ekw_port_getc(void);

/* Whether ekw_port_getc would not sleep. */
bool ekw_port_byte_waits(void);

/* Writes one byte to the host; may keep it until the end of the line. */
void ekw_port_putc(char c);

/* Ticks of EKW_TIMER_HZ since ekw_port_init. 64 bits: never wraps. Stands still in energy mode. */
uint64_t ekw_port_ticks(void);

/* Energy mode (EKW_ENERGY_MODE 1, else 0; not every board can). An idle pin is high; an edge is that it falls, at
 * once, and rises again EKW_EDGE_US later at the earliest. Boards that are emulated send a byte instead. */
#define EKW_EDGE_US 100u /* EEMBC's host filters 50 us; a PPK2 looks at its inputs every 10 us */
void ekw_port_edge(void);

/* The byte of another output, in energy mode on boards that are emulated (EKW_EVENT_BYTES). An edge is a `T`. */
void ekw_port_event(char byte);

/* Returns when the last byte that was written has left the line. */
void ekw_port_flush(void);

/* Bytes of the stack: there are, and were in use at the deepest moment since the reset, interrupts
 * included. Both 0: this board cannot tell. */
uint32_t ekw_port_stack_size(void);
uint32_t ekw_port_stack_used(void);

/* The parts of the flash memory that hold this image, in ascending order: code and constants, then the initial values
 * of variables. All empty: this firmware is no image in flash memory. */
#define EKW_IMAGE_PARTS 2
typedef struct {
    const uint8_t *bytes;
    int32_t count;
} ekw_span;
void ekw_port_image(ekw_span parts[EKW_IMAGE_PARTS]);

#endif
