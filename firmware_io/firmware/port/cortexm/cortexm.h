/* What every Cortex-M port shares. */
#ifndef EKW_CORTEXM_H
#define EKW_CORTEXM_H

#include <stdint.h>

#define EKW_REGISTER(address) (*(volatile uint32_t *)(address))

typedef union {
    void (*handler)(void);
    const void *stack;
} ekw_vector;

/* The first entries of every vector table: initial stack, reset, and faults that all end in a report.
 * A vector that is not listed is 0, and jumping there is a fault too. */
#define EKW_SYSTEM_VECTORS                                                                       \
    {.stack = &ekw_stack_top}, {.handler = ekw_reset}, {.handler = ekw_fault}, {.handler = ekw_fault}, \
        {.handler = ekw_fault}, {.handler = ekw_fault}, {.handler = ekw_fault}

#define EKW_FIRST_IRQ 16

extern const uint32_t ekw_stack_limit, ekw_stack_top; /* by the linker script */
void ekw_reset(void);
void ekw_fault(void);

void ekw_irq_enable(uint32_t irq);

/* Written without the receive buffer and without interrupts: also works inside a fault. */
void ekw_uart_putc_blocking(char c);

static inline void ekw_interrupts_off(void) {
    __asm volatile("cpsid i" ::: "memory");
}

static inline void ekw_interrupts_on(void) {
    __asm volatile("cpsie i" ::: "memory");
}

/* Returns at any pending interrupt, also while interrupts are off. */
static inline void ekw_wait_for_interrupt(void) {
    __asm volatile("dsb\n\twfi" ::: "memory");
}

#endif
