/* QEMU's board `virt`, 32-bit RISC-V: 16550 behind a PLIC (RISC-V platform-level interrupt controller 1.0).
 * The addresses are those of the device tree that QEMU makes (-M virt,dumpdtb=file). Time is the
 * count of instructions, which with -icount shift=0 is also that of nanoseconds. */
#include "port/port.h"

#include "port/common/uart.h"
#include "port/riscv/riscv.h"

#define PLIC_BASE 0x0C000000u
#define PLIC_PRIORITY(source) EKW_REGISTER(PLIC_BASE + 4u * (source))
#define PLIC_ENABLE EKW_REGISTER(PLIC_BASE + 0x2000u) /* of context 0, machine mode of hart 0 */
#define PLIC_THRESHOLD EKW_REGISTER(PLIC_BASE + 0x200000u)
#define PLIC_CLAIM EKW_REGISTER(PLIC_BASE + 0x200004u)

#define UART_SOURCE 10u

void ekw_port_init(void) {
    PLIC_PRIORITY(UART_SOURCE) = 1u;
    PLIC_ENABLE = 1u << UART_SOURCE;
    PLIC_THRESHOLD = 0;
    ekw_uart_init();
    ekw_interrupts_on();
}

void ekw_external_interrupt(void) {
    const uint32_t source = PLIC_CLAIM;
    if (source == UART_SOURCE) {
        ekw_uart_receive_interrupt();
    }
    PLIC_CLAIM = source; /* complete */
}

/* The two halves are read separately; read again if the upper one changed in between. */
uint64_t ekw_port_ticks(void) {
    uint32_t high, low;
    do {
        high = EKW_CSR_READ(minstreth);
        low = EKW_CSR_READ(minstret);
    } while (high != EKW_CSR_READ(minstreth));
    return ((uint64_t)high << 32) | low;
}
