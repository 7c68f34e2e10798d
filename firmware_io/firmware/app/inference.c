#include "app/inference.h"

#include <stdbool.h>
#include <stdint.h>

#include "app/crc32.h"
#include "app/input.h"
#include "app/shared.h"
#include "app/softmax.h"
#include "app/text.h"
#include "model.h"
#include "port/port.h"

#define DEFAULT_ITERATIONS 1
#define DEFAULT_WARMUPS 10

static int8_t scores[EKW_MODEL_LABELS];
static bool has_scores;

void ekw_inference_forget(void) {
    has_scores = false;
}

static bool refuse_without_scores(void) {
    if (!has_scores) {
        ekw_put_line("e-[No inference has been run on this input]");
    }
    return !has_scores;
}

void ekw_inference_print_results(void) {
    uint16_t permille[EKW_MODEL_LABELS];
    if (refuse_without_scores()) {
        return;
    }
    ekw_softmax_permille(scores, permille);
    ekw_put("m-results-[");
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        ekw_put(i == 0 ? "" : ",");
        ekw_put_permille(permille[i]);
    }
    ekw_put_line("]");
}

static void print_scores(void) {
    if (refuse_without_scores()) {
        return;
    }
    ekw_put("m-raw-[");
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        ekw_put(i == 0 ? "" : ",");
        ekw_put_signed(scores[i]);
    }
    ekw_put_line("]");
}

void ekw_inference_print_raw(void) {
    print_scores();
    ekw_put("m-input-crc32-[");
    ekw_put_hex(ekw_crc32(0, (const uint8_t *)ekw_input_tensor(), ekw_input_loaded()), 8);
    ekw_put_line("]");
}

static void print_count(const char *label, int32_t count) {
    ekw_put(label);
    ekw_put_signed(count);
    ekw_put_line("");
}

static void run(int32_t times) {
    for (int32_t i = 0; i < times; i++) {
        ekw_model_run(ekw_input_tensor(), scores);
    }
}

/* The host subtracts the two lap lines. Writing the first one takes time, on a real UART 2 ms, so the
 * second one is the first plus the duration of the inferences alone. */
static void run_between_laps(int32_t times) {
    const uint64_t lap = ekw_port_ticks();
    ekw_put_microseconds(lap);
    const uint64_t start = ekw_port_ticks();
    run(times);
    const uint64_t duration = ekw_port_ticks() - start;
    ekw_put_microseconds(lap + duration);
}

/* The meter measures the energy between the two edges, so all text must have been sent before the first. */
static void run_between_edges(int32_t times) {
    ekw_port_flush();
    ekw_port_edge();
    run(times);
    ekw_port_edge();
}

static void measure(int32_t iterations, int32_t warmups) {
    print_count("m-warmup-start-", warmups);
    run(warmups);
    ekw_put_line("m-warmup-done");
    print_count("m-infer-start-", iterations);
    if (EKW_ENERGY_MODE) {
        run_between_edges(iterations);
    } else {
        run_between_laps(iterations);
    }
    ekw_put_line("m-infer-done");
    has_scores = true;
    ekw_inference_print_results();
}

void ekw_inference_command(const char *iterations, const char *warmups) {
    const int32_t n = ekw_parse_argument(iterations, DEFAULT_ITERATIONS, 0);
    const int32_t w = ekw_parse_argument(warmups, DEFAULT_WARMUPS, -1);
    if (n <= 0) {
        ekw_put_line("e-[Inference iterations must be >0]");
    } else if (w < 0) {
        ekw_put_line("e-[Inference warmup must be >=0]");
    } else if (ekw_input_loaded() != EKW_MODEL_INPUT_BYTES) {
        ekw_put("Input db has ");
        ekw_put_signed(ekw_input_loaded());
        ekw_put(" elemented, expected ");
        ekw_put_signed(EKW_MODEL_INPUT_BYTES);
        ekw_put_line("");
    } else {
        measure(n, w);
    }
}
