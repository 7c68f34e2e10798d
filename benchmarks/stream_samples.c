/* Hears samples that lie in the board's memory, as a stream of blocks of other lengths than a hop: prints the events,
 * and CRC-32 and number of all scores. The application's serial line is too slow for minutes of an emulated board. */
#include "app/crc32.h"
#include "app/text.h"
#include "port/port.h"
#include "stream/ekw.h"

#define BLOCK 257

int main(void) {
    const int32_t count = *(const volatile int32_t *)SAMPLES_AT;
    const int16_t *samples = (const int16_t *)(SAMPLES_AT + 4u);
    uint32_t crc = 0, steps = 0;
    ekw_port_init();
    ekw_begin();
    for (int32_t at = 0; at < count;) {
        const int32_t size = count - at < BLOCK ? count - at : BLOCK;
        ekw_event event;
        ekw_push(samples + at, size);
        at += size;
        if (ekw_steps() != steps) {
            steps = ekw_steps();
            crc = ekw_crc32(crc, (const uint8_t *)ekw_scores(), EKW_LABELS);
        }
        while (ekw_event_next(&event)) {
            ekw_put("event ");
            ekw_put_signed(event.keyword);
            ekw_put(" ");
            ekw_put_unsigned(event.time_samples);
            ekw_put(" ");
            ekw_put_signed(event.score);
            ekw_put_line("");
        }
    }
    ekw_put("end ");
    ekw_put_unsigned(steps);
    ekw_put(" ");
    ekw_put_hex(crc, 8);
    ekw_put_line("");
    ekw_put_line(".");
    ekw_port_flush();
    for (;;) {
    }
}
