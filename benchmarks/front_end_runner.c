/* Runs the front end on samples that the host has laid out in memory, then writes that memory to a file of the host: the
 * rows, and the ticks of each stage. A port for its clock, the front end, semihosting (Arm IHI 0068; the same calls on
 * RISC-V). front_end.inc is what edgekws/emit/c/front_end.py makes. */
#include "front_end.inc"

#include "port/port.h"

enum { STAGES = 6 };

/* Mirror of _front_end.py. */
typedef struct {
    const int16_t *samples;
    int32_t count;
    int32_t block; /* samples of a call */
    int8_t *rows;
    int32_t made;           /* rows */
    uint32_t ticks;         /* of all calls */
    uint32_t stage[STAGES]; /* of as many windows */
    uint32_t clock;         /* of reading the clock, for each of those */
    const char *file;
    uint32_t file_characters;
    uint8_t *memory;
    uint32_t memory_bytes;
} work;

static ekw_frontend state;
static ekw_frontend_work scratch;

#if defined(__riscv)
static uint32_t semihost(uint32_t operation, const void *arguments) {
    register uint32_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = arguments;
    __asm volatile(".option push\n.option norvc\nslli zero, zero, 31\nebreak\nsrai zero, zero, 7\n.option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
    return a0;
}
#else
static uint32_t semihost(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
#endif

static uint32_t now(void) {
    return (uint32_t)ekw_port_ticks();
}

__attribute__((noinline)) static void all_rows(work *todo) {
    const int16_t *samples = todo->samples;
    ekw_frontend_start(&state, EKW_FRONTEND_PEAK);
    for (int32_t left = todo->count; left > 0; left -= todo->block) {
        int32_t there = left < todo->block ? left : todo->block;
        while (ekw_frontend_push(&state, &samples, &there, &scratch, todo->rows + todo->made * EKW_FRONTEND_COEFFICIENTS)) {
            todo->made++;
        }
    }
}

/* What ekw_frontend_push does with a window. */
__attribute__((noinline)) static void stages(work *todo, const int16_t *samples, const int8_t *row) {
    int32_t bands[EKW_FRONTEND_BAND_PLACES];
    int8_t again[EKW_FRONTEND_COEFFICIENTS];
    uint32_t at[STAGES + 2];
    at[0] = now();
    const int32_t exponent = ekw_frontend_exponent(samples);
    at[1] = now();
    ekw_frontend_first(samples, exponent, scratch.spectrum);
    at[2] = now();
    ekw_frontend_stages(scratch.spectrum);
    at[3] = now();
#if defined(EKW_FRONTEND_LOG_MEL)
    const int32_t up = (EKW_FRONTEND_SCALE_BITS - ekw_frontend_energy_bits(samples)) >> 1;
    ekw_frontend_powers(scratch.spectrum, up - exponent - EKW_FRONTEND_UNIT, bands);
#else
    ekw_frontend_bands(scratch.spectrum, bands);
#endif
    at[4] = now();
#if defined(EKW_FRONTEND_LOG_MEL)
    ekw_frontend_levels(bands + 1, up * 131072 + EKW_FRONTEND_LEVEL + 2 * state.peak_log2);
#else
    ekw_frontend_logarithms(bands + 1, ekw_frontend_floor(state.peak, exponent),
                            (exponent + EKW_FRONTEND_UNIT) * 65536 + state.peak_log2);
#endif
    at[5] = now();
    ekw_frontend_row(bands + 1, again);
    at[6] = now();
    at[7] = now();
    for (int32_t i = 0; i < STAGES; i++) {
        todo->stage[i] += at[i + 1] - at[i];
    }
    todo->clock += at[STAGES + 1] - at[STAGES];
    for (int32_t c = 0; c < EKW_FRONTEND_COEFFICIENTS; c++) {
        todo->made = again[c] == row[c] ? todo->made : -1; /* the stages are not those of the front end */
    }
}

int main(void) {
    work *todo = (work *)EKW_WORK_ADDRESS;
    ekw_port_init();
    const uint32_t start = now();
    all_rows(todo);
    todo->ticks = now() - start;
    static _Alignas(8) int16_t window[EKW_FRONTEND_WINDOW];
    for (int32_t t = 0; t < todo->made; t++) {
        const int16_t *samples = todo->samples + t * EKW_FRONTEND_HOP;
#if defined(EKW_FRONTEND_LOG_MEL)
        ekw_frontend_emphasize(window, samples, EKW_FRONTEND_WINDOW, t > 0 ? samples[-1] : 0);
#else
        for (int32_t i = 0; i < EKW_FRONTEND_WINDOW; i++) {
            window[i] = samples[i];
        }
#endif
        stages(todo, window, todo->rows + t * EKW_FRONTEND_COEFFICIENTS);
    }
    const uint32_t open[3] = {(uint32_t)(uintptr_t)todo->file, 5 /* wb */, todo->file_characters};
    const uint32_t file = semihost(0x01, open);
    const uint32_t write[3] = {file, (uint32_t)(uintptr_t)todo->memory, todo->memory_bytes};
    semihost(0x05, write);
    semihost(0x02, &file);
    const uint32_t end[2] = {0x20026u, 0}; /* application exit */
#if defined(__riscv)
    semihost(0x20, end); /* with a block of arguments on all architectures */
#else
    semihost(0x18, (const void *)(uintptr_t)end[0]);
#endif
    return 0;
}
