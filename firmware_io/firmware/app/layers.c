#include "app/layers.h"

#include <stdint.h>

#include "app/input.h"
#include "app/text.h"
#include "model.h"
#include "port/port.h"

#define MOST_ITERATIONS 1000000

static int8_t scores[EKW_MODEL_LABELS];

/* Overhead of two consecutive readings of the clock. */
static uint64_t clock_ticks(void) {
    const uint64_t start = ekw_port_ticks();
    return ekw_port_ticks() - start;
}

/* A layer may overwrite its input, so every iteration runs all layers before this one again. */
static uint64_t layer_ticks(int32_t number, int32_t iterations) {
    uint64_t ticks = 0;
    for (int32_t i = 0; i < iterations; i++) {
        for (int32_t before = 0; before < number; before++) {
            ekw_model_run_layer(before, ekw_input_tensor(), scores);
        }
        const uint64_t start = ekw_port_ticks();
        ekw_model_run_layer(number, ekw_input_tensor(), scores);
        ticks += ekw_port_ticks() - start;
    }
    return ticks;
}

static void print_layer(int32_t number, uint64_t ticks) {
    ekw_put("m-layer-[");
    ekw_put_signed(number);
    ekw_put(",");
    ekw_put_unsigned(ticks);
    ekw_put_line("]");
}

static void print_layers(int32_t iterations) {
    ekw_put("m-layers-[");
    ekw_put_signed(EKW_MODEL_LAYERS);
    ekw_put(",");
    ekw_put_signed(iterations);
    ekw_put(",");
    ekw_put_unsigned(EKW_TIMER_HZ);
    ekw_put_line("]");
    const uint64_t empty = clock_ticks() * (uint64_t)iterations;
    for (int32_t number = 0; number < EKW_MODEL_LAYERS; number++) {
        const uint64_t ticks = layer_ticks(number, iterations);
        print_layer(number, ticks > empty ? ticks - empty : 0);
    }
}

void ekw_layers_command(const char *iterations, const char *unused) {
    (void)unused;
    const int32_t count = ekw_parse_argument(iterations, 1, 0);
    if (count <= 0 || count > MOST_ITERATIONS) {
        ekw_put_line("e-[Layer iterations must be 1 to 1000000]");
    } else if (ekw_input_loaded() != EKW_MODEL_INPUT_BYTES) {
        ekw_put_line("e-[No complete input has been loaded]");
    } else {
        print_layers(count);
    }
}
