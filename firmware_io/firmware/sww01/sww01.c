#include "sww01/sww01.h"

#include <stdbool.h>
#include <stdint.h>

#include "app/input.h"
#include "app/text.h"
#include "listen/listen.h"
#include "sww01/activations.h"
#include "sww01/pins.h"
#include "stream/ekw.h"

_Static_assert(EKW_INPUT_BYTES == 2 * EKW_HOP_SAMPLES, "`db` holds the samples of one frame");

static bool is_streaming; /* since `start` */
static bool is_extracting;

/* Where the energy begins and ends to count. */
static void mark(void) {
    if (EKW_ENERGY_MODE) {
        ekw_port_flush();
        ekw_port_edge();
    }
}

void ekw_start_command(const char *first, const char *second) {
    (void)first, (void)second;
    is_streaming = true;
    is_extracting = false;
    mark();
    ekw_pin(EKW_PROCESSING); /* aligns the two outputs and the energy */
    ekw_pin(EKW_PROCESSING_DONE);
    ekw_listen_command(EKW_FRONT_END_ID, "");
}

/* The frames may have ended before, with an end frame. */
void ekw_stop_command(const char *first, const char *second) {
    (void)first, (void)second;
    if (!is_streaming) {
        ekw_put_line("e-[Command 'stop' requires a 'start' before]");
        return;
    }
    is_streaming = false;
    mark();
    ekw_put_line("Streaming stopped.");
    ekw_activations_print();
}

static void put_list(const char *before, const int8_t *values, int32_t count) {
    ekw_put(before);
    for (int32_t i = 0; i < count; i++) {
        ekw_put(i == 0 ? "" : ", ");
        ekw_put_signed(values[i]);
    }
    ekw_put_line("]");
}

static void push_loaded(void) {
    const uint8_t *bytes = (const uint8_t *)ekw_input_tensor();
    for (int32_t i = 0; i < EKW_INPUT_BYTES; i += 2) {
        const int16_t sample = (int16_t)(uint16_t)(bytes[i] | (bytes[i + 1] << 8));
        ekw_push(&sample, 1);
    }
}

/* The next frame, as `db` loaded it. Before the first one there was silence, and zeros where features would be. */
void ekw_extract_command(const char *first, const char *second) {
    (void)first, (void)second;
    if (ekw_input_loaded() != EKW_INPUT_BYTES) {
        ekw_put("e-[Command 'extract_uart_stream' requires a 'db load' of ");
        ekw_put_signed(EKW_INPUT_BYTES);
        ekw_put_line("]");
        return;
    }
    if (!is_extracting) {
        ekw_begin_filled();
        is_extracting = true;
    }
    push_loaded();
    put_list("m-features-[", ekw_row(), EKW_COEFFICIENTS);
    put_list("m-activations-[", ekw_scores(), EKW_LABELS);
}

void ekw_answer_processing_high(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_pin(EKW_PROCESSING);
}

void ekw_answer_processing_low(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_pin(EKW_PROCESSING_DONE);
}
