/* Shared by all Cortex-M ports. */
#ifndef EKW_CORTEXM_H
#define EKW_CORTEXM_H

#include <stdint.h>

#include "port/common/core.h"
#include "port/common/stack.h"

typedef union {
    void (*handler)(void);
    const void *stack;
} ekw_vector;

/* The first entries of every vector table: initial stack, reset, and faults that all end in a report.
 * A vector that is not listed is 0, and jumping there is a fault too. */
#define EKW_SYSTEM_VECTORS                                                                       \
    {.stack = ekw_stack_top}, {.handler = ekw_reset}, {.handler = ekw_fault}, {.handler = ekw_fault}, \
        {.handler = ekw_fault}, {.handler = ekw_fault}, {.handler = ekw_fault}

#define EKW_SYSTICK_VECTOR 15
#define EKW_FIRST_IRQ 16

void ekw_reset(void);
void ekw_fault(void);

void ekw_irq_enable(uint32_t irq);

#endif
