/* From reset to main: coprocessors, .data, .bss. */
#include <stddef.h>

#include "port/cortexm/cortexm.h"

#define CPACR EKW_REGISTER(0xE000ED88u) /* Arm v7-M reference manual B3.2.20 */
#define CPACR_CP10_CP11_FULL (0xFu << 20)

/* Memory protection unit of v7-M, B3.5; absent when MPU_TYPE is 0. */
#define MPU_TYPE EKW_REGISTER(0xE000ED90u)
#define MPU_CTRL EKW_REGISTER(0xE000ED94u)
#define MPU_RNR EKW_REGISTER(0xE000ED98u)
#define MPU_RBAR EKW_REGISTER(0xE000ED9Cu)
#define MPU_RASR EKW_REGISTER(0xE000EDA0u)
#define MPU_ENABLE_WITH_DEFAULT_MAP ((1u << 2) | (1u << 0))
#define GUARD_BYTES 4096u
#define GUARD_NO_ACCESS ((1u << 28) | (11u << 1) | (1u << 0)) /* execute never, 2^(11+1) bytes, enabled */

extern uint32_t ekw_data_load[], ekw_data_start[], ekw_data_end[], ekw_bss_start[], ekw_bss_end[];
int main(void);

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from) {
    while (to != end) {
        *to++ = *from++;
    }
}

static void clear(uint32_t *to, const uint32_t *end) {
    while (to != end) {
        *to++ = 0;
    }
}

/* A function of its own: the compiler may use vector registers here, in ekw_reset it must not. */
static __attribute__((noinline, noreturn)) void start(void) {
    copy(ekw_data_start, ekw_data_end, ekw_data_load);
    clear(ekw_bss_start, ekw_bss_end);
    main();
    for (;;) {
        ekw_wait_for_interrupt();
    }
}

/* A stack that leaves the RAM must fault, and not every board faults by itself below its RAM. */
static void guard_stack(void) {
#if __ARM_ARCH >= 8
    __asm volatile("msr msplim, %0" ::"r"(&ekw_stack_limit));
#else
    if (MPU_TYPE != 0) {
        MPU_RNR = 0;
        MPU_RBAR = (uint32_t)&ekw_stack_limit - GUARD_BYTES;
        MPU_RASR = GUARD_NO_ACCESS;
        MPU_CTRL = MPU_ENABLE_WITH_DEFAULT_MAP;
    }
#endif
}

void ekw_reset(void) {
    guard_stack();
    CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb\n\tisb" ::: "memory");
    start();
}

void ekw_irq_enable(uint32_t irq) {
    EKW_REGISTER(0xE000E100u + 4u * (irq / 32u)) = 1u << (irq % 32u); /* NVIC_ISER */
}
