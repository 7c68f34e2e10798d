/* Shared by all 32-bit RISC-V ports. All of it runs in machine mode on one hart. */
#ifndef EKW_RISCV_H
#define EKW_RISCV_H

#include <stdint.h>

#include "port/common/core.h"

/* Control and status registers by name (privileged architecture 1.12, chapter 2). */
#define EKW_CSR_READ(name)                                       \
    ({                                                           \
        uint32_t value_;                                         \
        __asm volatile("csrr %0, " #name : "=r"(value_)::"memory"); \
        value_;                                                  \
    })
#define EKW_CSR_WRITE(name, value) __asm volatile("csrw " #name ", %0" ::"r"(value) : "memory")
#define EKW_CSR_SET(name, bits) __asm volatile("csrs " #name ", %0" ::"r"(bits) : "memory")

/* First instruction, at the origin of the flash. */
void ekw_reset(void);

/* The board's: serves the external interrupt, the only one that is on. */
void ekw_external_interrupt(void);

#endif
