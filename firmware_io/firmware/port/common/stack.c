#include "port/common/stack.h"

#include "port/port.h"

#define PAINT 0xC5C5C5C5u /* no address of any board, no small number */

/* Words below the frame of ekw_stack_paint that are not painted, as its own frame may be there. The result
 * is unaffected: main uses more than that before the first query. */
#define OWN_WORDS 16

void ekw_stack_paint(void) {
    const uint32_t *const end = (const uint32_t *)__builtin_frame_address(0) - OWN_WORDS;
    for (uint32_t *word = ekw_stack_limit; word < end; word++) {
        *word = PAINT;
    }
}

uint32_t ekw_port_stack_size(void) {
    return (uint32_t)((uintptr_t)ekw_stack_top - (uintptr_t)ekw_stack_limit);
}

uint32_t ekw_port_stack_used(void) {
    const volatile uint32_t *word = ekw_stack_limit; /* an interrupt may write meanwhile */
    while (word < ekw_stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)ekw_stack_top - (uintptr_t)word);
}
