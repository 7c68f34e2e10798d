/* A stream for a page: what firmware_io/emit/web/engine.js calls. It gives a block of at most EKW_HOP_SAMPLES at a time,
 * so that a push makes at most one step and at most one event. */
#include "stream/ekw.h"
#include "stream/posteriors.h"

#define EXPORT(name) __attribute__((export_name(name)))

static int16_t samples[EKW_HOP_SAMPLES];
static uint16_t posteriors[EKW_DETECTOR_KEYWORDS], means[EKW_DETECTOR_KEYWORDS];
static struct {
    uint32_t time_low, time_high; /* samples */
    int32_t keyword, score;
} event;

EXPORT("samples") int16_t *ekw_web_samples(void) {
    return samples;
}

EXPORT("begin") void ekw_web_begin(void) {
    ekw_begin();
}

/* Takes the first `count` of the samples; whether they complete a step. */
EXPORT("push") int32_t ekw_web_push(int32_t count) {
    const uint32_t before = ekw_steps();
    ekw_push(samples, count);
    return ekw_steps() != before;
}

EXPORT("scores") const int8_t *ekw_web_scores(void) {
    return ekw_scores();
}

/* Thousandths of each keyword, of the last step. */
EXPORT("posteriors") const uint16_t *ekw_web_posteriors(void) {
    ekw_posteriors(ekw_scores(), posteriors);
    return posteriors;
}

/* Their means over the smoothing: what the detector compares with the thresholds. */
EXPORT("means") const uint16_t *ekw_web_means(void) {
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        means[k] = (uint16_t)(ekw_listener.sums[k] / ekw_listener.smoothing_steps);
    }
    return means;
}

/* {time_low, time_high, keyword, score} of the next event; null without one. */
EXPORT("event") const void *ekw_web_event(void) {
    ekw_event next;
    if (!ekw_event_next(&next)) {
        return 0;
    }
    event.time_low = (uint32_t)next.time_samples;
    event.time_high = (uint32_t)(next.time_samples >> 32);
    event.keyword = next.keyword;
    event.score = next.score;
    return &event;
}

/* Thousandths. */
EXPORT("threshold") void ekw_web_threshold(int32_t keyword, int32_t permille) {
    if (keyword >= 0 && keyword < EKW_DETECTOR_KEYWORDS && permille > 0 && permille <= EKW_DETECTOR_NEVER) {
        ekw_listener.thresholds[keyword] = (uint16_t)permille;
    }
}
