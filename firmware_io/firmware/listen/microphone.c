#include "listen/microphone.h"

#include <stddef.h>

#include "app/text.h"
#include "listen/listen.h"
#include "port/capture.h"

static bool is_on;

bool ekw_microphone_is_on(void) {
    return is_on;
}

static void stop(void) {
    if (is_on) {
        is_on = false;
        ekw_capture_stop();
        ekw_listen_end();
    }
}

void ekw_microphone_command(const char *argument, const char *unused) {
    (void)unused;
    stop();
    if (ekw_same(argument, "off")) {
        return;
    }
    ekw_capture_reset();
    is_on = ekw_capture_start();
    if (is_on) {
        ekw_listen_begin();
    } else {
        ekw_put_line("e-[This board has no microphone]");
    }
}

/* What is on both sides of a gap must not be heard as one: the stream begins anew. */
static void begin_again(uint32_t lost) {
    ekw_put("m-lost-[");
    ekw_put_unsigned(lost);
    ekw_put_line("]");
    ekw_listen_end();
    ekw_listen_begin();
}

void ekw_microphone_work(void) {
    uint32_t lost;
    ekw_capture_wait();
    const int16_t *samples = ekw_capture_next(&lost);
    if (samples == NULL) {
        return;
    }
    if (lost > 0) {
        begin_again(lost);
    }
    ekw_listen_samples(samples, EKW_CAPTURE_SAMPLES);
    if (!ekw_capture_done()) {
        begin_again(EKW_CAPTURE_SAMPLES);
    }
}
