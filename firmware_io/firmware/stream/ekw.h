/* The whole of it: samples in, words out. Nothing is allocated; there is one stream.
 *
 *     ekw_begin();
 *     for each block of the microphone:
 *         ekw_push(samples, count);
 *         while (ekw_event_next(&event)) ...
 *
 * The integers are those of edgekws.detect on the same samples, however these are cut into blocks. */
#ifndef EKW_H
#define EKW_H

#include <stdbool.h>
#include <stdint.h>

#include "ekw_config.h"
#include "kernels/detector.h"

typedef struct {
    uint64_t time_samples; /* samples of the stream that had been read when the word was detected */
    int32_t keyword;       /* index into ekw_keywords */
    int32_t score;         /* mean probability in thousandths */
} ekw_event;

extern const char *const ekw_keywords[EKW_DETECTOR_KEYWORDS];

/* Thresholds, smoothing, refractory time and histogram; may be changed between two calls. Filled by ekw_begin. */
extern ekw_detector ekw_listener;

/* Begin a new stream. The first call also takes the thresholds and the smoothing of the model; later ones keep what is
 * in RAM, and the histogram. */
void ekw_begin(void);

/* The next samples, at EKW_RATE_HZ. Events wait until ekw_event_next takes them: EKW_MOST_EVENTS, then the oldest is
 * lost. A block of up to EKW_MOST_EVENTS * EKW_HOP_SAMPLES has no more. */
void ekw_push(const int16_t *samples, int32_t count);

bool ekw_event_next(ekw_event *event);

/* Steps of the network since ekw_begin, and the scores of the last one. A push of at most EKW_HOP_SAMPLES makes at most
 * one step. */
uint32_t ekw_steps(void);
const int8_t *ekw_scores(void);

#ifdef EKW_ROW_KEPT
/* The last row of features, int8 [EKW_COEFFICIENTS]. */
const int8_t *ekw_row(void);

/* As ekw_begin, but a hop of silence and all rows of a first input but one, of zeros, have been heard: each further hop
 * gives a row and scores. */
void ekw_begin_filled(void);
#endif

#endif
