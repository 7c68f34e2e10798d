/* Arm MPS2, emulated: in place of a microphone, known noise at the rate of the samples, so that the way from the
 * interrupt to the events can be tested. TIMER1 (Arm DDI 0479, APB timer) stands for the DMA. */
#include "port/capture.h"

#include "port/cortexm/cortexm.h"

#define TIMER_CTRL EKW_REGISTER(0x40001000u)
#define TIMER_VALUE EKW_REGISTER(0x40001004u)
#define TIMER_RELOAD EKW_REGISTER(0x40001008u)
#define TIMER_INTSTATUS EKW_REGISTER(0x4000100Cu)
#define TIMER_ENABLE_WITH_IRQ ((1u << 0) | (1u << 3))
#define TICKS (EKW_CLOCK_HZ / EKW_RATE_HZ * EKW_CAPTURE_SAMPLES)

static uint32_t state, half;

bool ekw_capture_start(void) {
    state = 1;
    half = 0;
    TIMER_RELOAD = TICKS;
    TIMER_VALUE = TICKS;
    TIMER_CTRL = TIMER_ENABLE_WITH_IRQ;
    ekw_irq_enable(EKW_CAPTURE_IRQ);
    return true;
}

void ekw_capture_stop(void) {
    TIMER_CTRL = 0;
}

/* The noise of Numerical Recipes' generator (Press et al., section 7.1), its upper half; quieter now and then. */
void ekw_capture_interrupt(void) {
    int16_t *to = ekw_capture_buffer + half % 2 * EKW_CAPTURE_SAMPLES;
    TIMER_INTSTATUS = 1u;
    for (int32_t i = 0; i < EKW_CAPTURE_SAMPLES; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (int16_t)((int16_t)(state >> 16) >> (half / 16 % 8));
    }
    half++;
    ekw_capture_filled();
}
