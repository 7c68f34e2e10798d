#include "listen/watch.h"

#include <stdbool.h>

#include "app/text.h"
#include "sww01/activations.h"
#include "sww01/pins.h"

#define THRESHOLD 115 /* of the benchmark: a probability of 0.953 */
#define MOST 2048     /* 65 s */

static int8_t activations[MOST]; /* of the wake word, label 0 */
static uint32_t steps;
static bool is_first;

void ekw_watch_begin(void) {
    steps = 0;
    is_first = true;
}

void ekw_watch_frame(void) {
    ekw_pin(EKW_PROCESSING);
}

/* Neither smoothed nor held back: one word gives a pulse for each frame in which it is heard. */
void ekw_watch_scores(const int8_t *scores) {
    if (steps < MOST) {
        activations[steps] = scores[0];
    }
    steps++;
    if (scores[0] > THRESHOLD) {
        ekw_pin(EKW_DETECTED);
    }
}

/* The pulse of the first frame marks time 0. It has no scores. */
void ekw_watch_frame_done(void) {
    if (is_first) {
        ekw_pin(EKW_DETECTED);
        is_first = false;
    }
    ekw_pin(EKW_PROCESSING_DONE);
}

void ekw_activations_print(void) {
    ekw_put("target activations: [");
    for (uint32_t i = 0; i < steps && i < MOST; i++) {
        ekw_put(i == 0 ? "" : ", ");
        ekw_put_signed(activations[i]);
    }
    ekw_put_line("]");
    if (steps > MOST) {
        ekw_put("m-activations-left-out-[");
        ekw_put_unsigned(steps - MOST);
        ekw_put_line("]");
    }
}
