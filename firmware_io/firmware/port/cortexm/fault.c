/* Reports the place and the reason of a fault on the serial line, then stops for good. */
#include <stdbool.h>

#include "port/common/report.h"
#include "port/cortexm/cortexm.h"

#define CFSR EKW_REGISTER(0xE000ED28u)
#define HFSR EKW_REGISTER(0xE000ED2Cu)
#define BFAR EKW_REGISTER(0xE000ED38u)
#define CFSR_STACK ((1u << 4) | (1u << 12) | (1u << 20)) /* MSTKERR, STKERR, STKOF of v8-M */
#define FRAME_WORDS 8u /* r0-r3, r12, lr, pc, xpsr */
#define FRAME_PC 6u

static bool frame_lost(const uint32_t *frame) {
    const uintptr_t low = (uintptr_t)ekw_stack_limit, high = (uintptr_t)ekw_stack_top;
    const uintptr_t at = (uintptr_t)frame;
    return at < low || at > high - FRAME_WORDS * sizeof *frame;
}

/* v6-M has no fault status registers. */
#if __ARM_ARCH == 6
static bool stacking_failed(void) {
    return false;
}

static void report_reason(void) {
}
#else
static bool stacking_failed(void) {
    return (CFSR & CFSR_STACK) != 0;
}

static void report_reason(void) {
    ekw_report_field(" cfsr=", CFSR);
    ekw_report_field(" hfsr=", HFSR);
    ekw_report_field(" bfar=", BFAR);
}
#endif

__attribute__((used, noreturn)) void ekw_fault_report(const uint32_t *frame) {
    ekw_report("\r\ne-[HardFault");
    if (stacking_failed() || frame_lost(frame)) {
        ekw_report(" stack overflow");
    } else {
        ekw_report_field(" pc=", frame[FRAME_PC]);
    }
    report_reason();
    ekw_report_end();
}

/* The stack may have overflowed, so the report starts with an empty one. A plain branch of v6-M may not reach. */
__attribute__((naked)) void ekw_fault(void) {
    __asm volatile("mov r0, sp\n\t"
                   "ldr r1, =ekw_stack_top\n\t"
                   "mov sp, r1\n\t"
                   "ldr r1, =ekw_fault_report\n\t"
                   "bx r1\n\t"
                   ".ltorg");
}
