/* From reset to main: stack pointer, traps, floating point, stack guard. */
#include "port/common/stack.h"
#include "port/common/start.h"
#include "port/riscv/riscv.h"

#define MSTATUS_FS_INITIAL (1u << 13)
#define MIE_EXTERNAL (1u << 11)
#define MTVEC_VECTORED 1u

/* Physical memory protection, section 3.7. Entry 1 reaches from the address of entry 0 to its own. */
#define PMP1_LOCKED_TOP_OF_RANGE_READ_EXECUTE ((0x80u | 0x08u | 0x04u | 0x01u) << 8)

void ekw_traps(void);

/* A stack that leaves the RAM must fault, and on an emulated board writable memory is below it: what lies
 * from the flash up to the stack can be read and executed, not written. Locked, so that it binds us too. */
static void guard_stack(void) {
    EKW_CSR_WRITE(pmpaddr0, (uintptr_t)ekw_reset >> 2);
    EKW_CSR_WRITE(pmpaddr1, (uintptr_t)ekw_stack_limit >> 2);
    EKW_CSR_WRITE(pmpcfg0, PMP1_LOCKED_TOP_OF_RANGE_READ_EXECUTE);
}

__attribute__((used, noreturn)) void ekw_prepare(void) {
    EKW_CSR_WRITE(mtvec, (uintptr_t)ekw_traps | MTVEC_VECTORED);
    EKW_CSR_SET(mstatus, MSTATUS_FS_INITIAL);
    guard_stack();
    EKW_CSR_WRITE(mie, MIE_EXTERNAL);
    ekw_start();
}

/* Placed first, like the vector table of a Cortex-M. */
__attribute__((naked, used, section(".isr_vector"))) void ekw_reset(void) {
    __asm volatile("la sp, ekw_stack_top\n\t"
                   "j ekw_prepare");
}
