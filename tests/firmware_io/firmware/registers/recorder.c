/* A board's port among imitated registers. Prints each one that is touched, in order, as `address value`, the value being
 * what it holds afterwards; between what the port was asked to do, a line with that.
 * Arguments: `address value` of registers that tell a state, in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>

#include "port/common/core.h"
#include "port/cortexm/cortexm.h"
#include "port/port.h"

#define REGISTERS 64

uint32_t ekw_stack_limit[1], ekw_stack_top[1];

static struct {
    uint32_t address;
    volatile uint32_t value;
} registers[REGISTERS];
static size_t known, touched = REGISTERS;

static int recording;

static void tell(void) {
    if (recording && touched < REGISTERS) {
        printf("%08x %08x\n", (unsigned)registers[touched].address, (unsigned)registers[touched].value);
    }
    touched = REGISTERS;
}

volatile uint32_t *recorded_register(uint32_t address) {
    tell();
    for (touched = 0; touched < known && registers[touched].address != address; touched++) {
    }
    if (touched == REGISTERS) {
        abort();
    }
    if (touched == known) {
        registers[known++].address = address;
    }
    return &registers[touched].value;
}

static void begin(const char *what) {
    tell();
    puts(what);
}

void ekw_reset(void) {}
void ekw_fault(void) {}
void ekw_clock_init(void) {}
void ekw_irq_enable(uint32_t irq) {
    tell();
    printf("irq %u\n", (unsigned)irq);
}

int main(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        *recorded_register((uint32_t)strtoul(words[i], NULL, 16)) = (uint32_t)strtoul(words[i + 1], NULL, 16);
    }
    touched = REGISTERS;
    recording = 1;
    begin("init");
    ekw_port_init();
    begin("flush");
    ekw_port_flush();
    if (EKW_ENERGY_MODE) {
        begin("edge");
        ekw_port_edge();
    }
    tell();
    return 0;
}
