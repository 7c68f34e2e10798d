/* Runs a streamed model over rows that are part of the image: prints every score and the ticks of each step's parts.
 * MARKS: run_step calls mark(number) before each node. Nothing of the application is here. */
#include "rows.h"

#include "model_stream_marked.h"

#include "port/port.h"

static void put_hex(uint32_t value, int32_t digits) {
    while (--digits >= 0) {
        ekw_port_putc("0123456789abcdef"[value >> (4 * digits) & 15]);
    }
}

int main(void) {
    static int8_t scores[EKW_MODEL_LABELS];
    ekw_port_init();
    uint64_t step = 0;
    for (int32_t i = 0; i < ROWS; i++) {
        const uint64_t start = ekw_port_ticks();
        const bool has_scores = ekw_stream_row(rows + i * EKW_STREAM_ROW_BYTES, scores);
        step += ekw_port_ticks() - start;
        for (int32_t label = 0; has_scores && label < EKW_MODEL_LABELS; label++) {
            put_hex((uint8_t)scores[label], 2);
        }
        if (has_scores) {
            ekw_port_putc(' ');
            put_hex((uint32_t)step, 8);
            step = 0;
            ekw_port_putc('\n');
        }
    }
    for (int32_t i = 0; i < MARKS; i++) {
        ekw_port_putc('=');
        put_hex((uint32_t)marks[i], 8);
        ekw_port_putc('\n');
    }
    ekw_port_putc('.');
    ekw_port_putc('\n');
    ekw_port_flush();
    for (;;) {
    }
}
