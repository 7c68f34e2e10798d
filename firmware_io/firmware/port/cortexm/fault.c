/* A fault says where and why on the serial line, then stops for good. */
#include "port/cortexm/cortexm.h"

#define CFSR EKW_REGISTER(0xE000ED28u)
#define HFSR EKW_REGISTER(0xE000ED2Cu)
#define BFAR EKW_REGISTER(0xE000ED38u)
#define CFSR_STACK ((1u << 4) | (1u << 12) | (1u << 20)) /* MSTKERR, STKERR, STKOF of v8-M */
#define FRAME_WORDS 8u /* r0-r3, r12, lr, pc, xpsr */
#define FRAME_PC 6u

static void put(const char *text) {
    while (*text != '\0') {
        ekw_uart_putc_blocking(*text++);
    }
}

static void put_field(const char *name, uint32_t value) {
    put(name);
    for (uint32_t shift = 32u; shift > 0u; shift -= 4u) {
        ekw_uart_putc_blocking("0123456789abcdef"[(value >> (shift - 4u)) & 15u]);
    }
}

__attribute__((used, noreturn)) void ekw_fault_report(const uint32_t *frame) {
    const uintptr_t low = (uintptr_t)&ekw_stack_limit, high = (uintptr_t)&ekw_stack_top;
    const uintptr_t at = (uintptr_t)frame;
    put("\r\ne-[HardFault");
    if ((CFSR & CFSR_STACK) != 0 || at < low || at > high - FRAME_WORDS * sizeof *frame) {
        put(" stack overflow");
    } else {
        put_field(" pc=", frame[FRAME_PC]);
    }
    put_field(" cfsr=", CFSR);
    put_field(" hfsr=", HFSR);
    put_field(" bfar=", BFAR);
    put("]\r\n");
    ekw_interrupts_off();
    for (;;) {
        ekw_wait_for_interrupt();
    }
}

/* The stack may be what failed: the report starts on a fresh one. */
__attribute__((naked)) void ekw_fault(void) {
    __asm volatile("mov r0, sp\n\t"
                   "ldr r1, =ekw_stack_top\n\t"
                   "mov sp, r1\n\t"
                   "b ekw_fault_report\n\t"
                   ".ltorg");
}
