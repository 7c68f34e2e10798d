/* From reset to main: coprocessors, .data, .bss. Armv6-M to Armv8.1-M. */
#include "port/common/start.h"
#include "port/cortexm/cortexm.h"

#define CPACR EKW_REGISTER(0xE000ED88u) /* Arm v7-M reference manual B3.2.20 */
#define CPACR_CP10_CP11_FULL (0xFu << 20)

#define VTOR EKW_REGISTER(0xE000ED08u) /* optional in v6-M, where writing it without having it does nothing */
#define CCR EKW_REGISTER(0xE000ED14u) /* configuration and control */
#define CCR_UNALIGN_TRP (1u << 3)

/* Memory protection unit of v6-M (B3.5) and v7-M (B3.5); absent when MPU_TYPE is 0. */
#define MPU_TYPE EKW_REGISTER(0xE000ED90u)
#define MPU_CTRL EKW_REGISTER(0xE000ED94u)
#define MPU_RNR EKW_REGISTER(0xE000ED98u)
#define MPU_RBAR EKW_REGISTER(0xE000ED9Cu)
#define MPU_RASR EKW_REGISTER(0xE000EDA0u)
#define MPU_ENABLE_WITH_DEFAULT_MAP ((1u << 2) | (1u << 0))
#define GUARD_BYTES 4096u
#define GUARD_NO_ACCESS ((1u << 28) | (11u << 1) | (1u << 0)) /* execute never, 2^(11+1) bytes, enabled */

extern const ekw_vector ekw_vectors[]; /* by the linker script */

/* A stack that leaves the RAM must fault, and not every board faults by itself below its RAM. */
static void guard_stack(void) {
#if __ARM_ARCH >= 8
    __asm volatile("msr msplim, %0" ::"r"(ekw_stack_limit));
#else
    if (MPU_TYPE != 0) {
        MPU_RNR = 0;
        MPU_RBAR = (uint32_t)ekw_stack_limit - GUARD_BYTES;
        MPU_RASR = GUARD_NO_ACCESS;
        MPU_CTRL = MPU_ENABLE_WITH_DEFAULT_MAP;
    }
#endif
}

/* Vector registers must not be used before this: what may use them is in ekw_start. */
static void allow_coprocessors(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= CPACR_CP10_CP11_FULL;
#endif
}

/* v6-M faults at an unaligned access. A larger core that emulates it has to be configured to do so. */
static void forbid_unaligned(void) {
#if __ARM_ARCH == 6
    CCR |= CCR_UNALIGN_TRP;
#endif
}

void ekw_reset(void) {
    VTOR = (uint32_t)ekw_vectors; /* a boot loader may have left its own */
    guard_stack();
    allow_coprocessors();
    forbid_unaligned();
    __asm volatile("dsb\n\tisb" ::: "memory");
    ekw_start();
}

void ekw_irq_enable(uint32_t irq) {
    EKW_REGISTER(0xE000E100u + 4u * (irq / 32u)) = 1u << (irq % 32u); /* NVIC_ISER */
}
