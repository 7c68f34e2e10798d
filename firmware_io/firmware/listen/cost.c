#include "listen/cost.h"

#include <stdint.h>

#include "app/text.h"
#include "port/port.h"
#include "stream/laps.h"

static struct {
    uint64_t ticks;
    uint32_t laps;
} stages[EKW_STAGES];
static uint64_t begun;

/* Ticks of two readings of the clock, one right after the other. */
static uint64_t reading(void) {
    const uint64_t start = ekw_port_ticks();
    return ekw_port_ticks() - start;
}

void ekw_lap_begin(void) {
    begun = ekw_port_ticks();
}

void ekw_lap_end(ekw_stream_stage stage) {
    stages[stage].ticks += ekw_port_ticks() - begun;
    stages[stage].laps++;
}

static void print_stage(int32_t number) {
    const uint64_t empty = reading() * stages[number].laps, ticks = stages[number].ticks;
    ekw_put("m-stage-[");
    ekw_put_signed(number);
    ekw_put(",");
    ekw_put_unsigned(stages[number].laps);
    ekw_put(",");
    ekw_put_unsigned(ticks > empty ? ticks - empty : 0);
    ekw_put_line("]");
}

void ekw_cost_command(const char *argument, const char *unused) {
    (void)unused;
    ekw_put("m-cost-[");
    ekw_put_unsigned(EKW_TIMER_HZ);
    ekw_put_line("]");
    for (int32_t number = 0; number < EKW_STAGES; number++) {
        print_stage(number);
        if (ekw_same(argument, "reset")) {
            stages[number].ticks = 0;
            stages[number].laps = 0;
        }
    }
}
