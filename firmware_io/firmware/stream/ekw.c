#include "stream/ekw.h"

#include "ekw_front_end.h"
#include "model_stream.h"
#include "stream/gate.h"
#include "stream/laps.h"
#include "stream/posteriors.h"

_Static_assert(EKW_STREAM_STEP_ROWS == EKW_STEP_ROWS && EKW_MODEL_LABELS == EKW_LABELS,
               "ekw_config.h should belong to model_stream.h");

ekw_detector ekw_listener;

static bool has_settings;
static ekw_frontend front_end;
static ekw_frontend_work work;
static uint64_t rows;
static uint32_t steps;
static int8_t scores[EKW_LABELS];

static struct {
    ekw_event events[EKW_MOST_EVENTS];
    uint32_t first, count;
} queue;

static void enqueue(const ekw_event *event) {
    if (queue.count == EKW_MOST_EVENTS) {
        queue.first++;
        queue.count--;
    }
    queue.events[(queue.first + queue.count++) % EKW_MOST_EVENTS] = *event;
}

bool ekw_event_next(ekw_event *event) {
    if (queue.count == 0) {
        return false;
    }
    *event = queue.events[queue.first++ % EKW_MOST_EVENTS];
    queue.count--;
    return true;
}

uint32_t ekw_steps(void) {
    return steps;
}

const int8_t *ekw_scores(void) {
    return scores;
}

static void take_settings(void) {
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        ekw_listener.thresholds[k] = ekw_thresholds[k];
    }
    ekw_listener.smoothing_steps = EKW_SMOOTHING_STEPS;
    ekw_listener.refractory_steps = EKW_REFRACTORY_STEPS;
    ekw_detector_start(&ekw_listener);
    has_settings = true;
}

void ekw_begin(void) {
    if (!has_settings) {
        take_settings();
    }
    ekw_detector_forget(&ekw_listener);
    ekw_frontend_start(&front_end, EKW_FRONTEND_PEAK);
    ekw_stream_reset();
    gate_begin();
    rows = 0;
    steps = 0;
    queue.count = 0;
}

/* The scores of one step. */
static void detect(void) {
    uint16_t posteriors[EKW_DETECTOR_KEYWORDS];
    ekw_detector_event detected;
    steps++;
    ekw_lap_begin();
    ekw_posteriors(scores, posteriors);
    const bool is_event = ekw_detector_step(&ekw_listener, posteriors, &detected);
    ekw_lap_end(EKW_STAGE_DETECTOR);
    if (is_event) {
        const uint64_t time = EKW_WINDOW_SAMPLES + (rows - 1) * EKW_HOP_SAMPLES;
        enqueue(&(ekw_event){time, detected.keyword, detected.score});
    }
}

static void take_row(const int8_t *row) {
    rows++;
    ekw_lap_begin();
    const bool is_step = gate_row(row, scores);
    ekw_lap_end(EKW_STAGE_NETWORK);
    if (is_step) {
        detect();
    }
}

#ifdef EKW_ROW_KEPT
static int8_t row[EKW_COEFFICIENTS];

const int8_t *ekw_row(void) {
    return row;
}

void ekw_begin_filled(void) {
    const int16_t silence = 0;
    ekw_begin();
    for (int32_t i = 0; i < EKW_COEFFICIENTS; i++) {
        row[i] = 0;
    }
    for (int32_t i = 1; i < EKW_STREAM_FIRST_ROWS; i++) {
        gate_row(row, scores);
    }
    for (int32_t i = 0; i < EKW_HOP_SAMPLES; i++) {
        ekw_push(&silence, 1);
    }
}
#endif

void ekw_push(const int16_t *samples, int32_t count) {
#ifndef EKW_ROW_KEPT
    int8_t row[EKW_COEFFICIENTS];
#endif
    while (count > 0) {
        ekw_lap_begin();
        const bool has_row = ekw_frontend_push(&front_end, &samples, &count, &work, row);
        ekw_lap_end(EKW_STAGE_FRONT_END);
        if (has_row) {
            take_row(row);
        }
    }
}
