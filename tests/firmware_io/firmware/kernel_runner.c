/* Executes kernels that the host has laid out in memory, then writes that memory to a file of the host.
 * Nothing of the application is here: a port for its clock, the kernels, semihosting (Arm IHI 0068). */
#include "kernels.inc"

#include "port/port.h"

/* Mirror of emulated.py. */
typedef struct {
    uint32_t kernel;
    const ekw_node *node;
    const void *first;
    const void *second;
    void *output;
    ekw_scratch scratch;
    uint32_t ticks; /* what it took */
} call;

typedef struct {
    uint32_t calls;
    call *first;
    const char *file;
    uint32_t file_characters;
    uint8_t *memory;
    uint32_t memory_bytes;
} work;

static uint32_t semihost(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void run(call *at) {
    const uint64_t start = ekw_port_ticks();
    if (of_two[at->kernel] != 0) {
        of_two[at->kernel](at->node, at->first, at->second, at->output);
    } else {
        of_one[at->kernel](at->node, at->first, at->output, at->scratch);
    }
    at->ticks = (uint32_t)(ekw_port_ticks() - start);
}

int main(void) {
    const work *todo = (const work *)EKW_WORK_ADDRESS;
    ekw_port_init();
    for (uint32_t i = 0; i < todo->calls; i++) {
        run(&todo->first[i]);
    }
    const uint32_t open[3] = {(uint32_t)(uintptr_t)todo->file, 5 /* wb */, todo->file_characters};
    const uint32_t file = semihost(0x01, open);
    const uint32_t write[3] = {file, (uint32_t)(uintptr_t)todo->memory, todo->memory_bytes};
    semihost(0x05, write);
    semihost(0x02, &file);
    semihost(0x18, (const void *)0x20026u); /* application exit */
    return 0;
}
