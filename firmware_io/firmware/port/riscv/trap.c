/* Interrupts are served; any other trap reports its place and reason on the serial line, then stops for good. */
#include "port/common/report.h"
#include "port/common/stack.h"
#include "port/riscv/riscv.h"

static __attribute__((interrupt("machine"), used)) void serve_external(void) {
    ekw_external_interrupt();
}

__attribute__((used, noreturn)) void ekw_fault_report(uintptr_t stack) {
    ekw_report("\r\ne-[Trap");
    if (stack < (uintptr_t)ekw_stack_limit || stack > (uintptr_t)ekw_stack_top) {
        ekw_report(" stack overflow");
    } else {
        ekw_report_field(" pc=", EKW_CSR_READ(mepc));
    }
    ekw_report_field(" mcause=", EKW_CSR_READ(mcause));
    ekw_report_field(" mtval=", EKW_CSR_READ(mtval));
    ekw_report_end();
}

/* The stack may have overflowed, so the report starts with an empty one. */
static __attribute__((naked, used)) void fault(void) {
    __asm volatile("mv a0, sp\n\t"
                   "la sp, ekw_stack_top\n\t"
                   "j ekw_fault_report");
}

/* Jumps of four bytes each: exceptions enter at 0, interrupt n at n, the external one is 11 (section 3.1.7). */
__attribute__((naked, used, aligned(64))) void ekw_traps(void) {
    __asm volatile(".option push\n\t"
                   ".option norvc\n\t"
                   ".rept 11\n\t"
                   "j fault\n\t"
                   ".endr\n\t"
                   "j serve_external\n\t"
                   ".option pop");
}
