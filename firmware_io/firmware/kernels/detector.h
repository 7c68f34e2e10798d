/* The detector: from posteriors to events. The Python definition is edgekws/detect/detector.py; ekw_detector mirrors
 * Settings and Detector there.
 *
 * Who includes this defines EKW_DETECTOR_KEYWORDS, the number of keywords, before. Thresholds, smoothing and refractory
 * time are in RAM and may be changed between two steps; ekw_detector_smooth does it for the smoothing. Nothing is
 * allocated. RAM: 71 bytes a keyword and 128 for its histogram. */
#ifndef EKW_DETECTOR_H
#define EKW_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#define EKW_DETECTOR_MOST_STEPS 32 /* of the smoothing */
#define EKW_DETECTOR_BINS 32       /* of a histogram: bin b counts posteriors of 32 b to 32 b + 31 thousandths */
#define EKW_DETECTOR_BIN_BITS 5
#define EKW_DETECTOR_NEVER 1001 /* the threshold of a keyword that is switched off */

typedef struct {
    int32_t keyword;
    uint32_t step; /* from 0 */
    int32_t score; /* mean posterior in thousandths, rounded down */
} ekw_detector_event;

typedef struct {
    uint16_t thresholds[EKW_DETECTOR_KEYWORDS]; /* thousandths, 1..1000, or EKW_DETECTOR_NEVER */
    uint16_t smoothing_steps;                   /* 1..EKW_DETECTOR_MOST_STEPS */
    uint16_t refractory_steps;
    uint16_t slot; /* of `recent` that the next step writes */
    uint16_t rest; /* steps until the next event may be */
    uint32_t steps;
    int32_t sums[EKW_DETECTOR_KEYWORDS];
    bool armed[EKW_DETECTOR_KEYWORDS];
    uint16_t recent[EKW_DETECTOR_MOST_STEPS][EKW_DETECTOR_KEYWORDS];
    uint32_t histogram[EKW_DETECTOR_KEYWORDS][EKW_DETECTOR_BINS];
} ekw_detector;

/* Forget the posteriors, as before the first step; settings, step count and histogram stay. */
static inline void ekw_detector_forget(ekw_detector *detector) {
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        detector->sums[k] = 0;
        detector->armed[k] = true;
        for (int32_t i = 0; i < EKW_DETECTOR_MOST_STEPS; i++) {
            detector->recent[i][k] = 0;
        }
    }
    detector->slot = 0;
    detector->rest = 0;
}

/* The beginning of a stream; the settings stay. */
static inline void ekw_detector_start(ekw_detector *detector) {
    ekw_detector_forget(detector);
    detector->steps = 0;
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        for (int32_t b = 0; b < EKW_DETECTOR_BINS; b++) {
            detector->histogram[k][b] = 0;
        }
    }
}

/* Change the smoothing of a running detector, which forgets the posteriors. steps: 1..EKW_DETECTOR_MOST_STEPS. */
static inline void ekw_detector_smooth(ekw_detector *detector, uint16_t steps) {
    detector->smoothing_steps = steps;
    ekw_detector_forget(detector);
}

/* posteriors: thousandths, 0..1000, of each keyword. Gives whether there is an event. */
static inline bool ekw_detector_step(ekw_detector *detector, const uint16_t posteriors[EKW_DETECTOR_KEYWORDS],
                                     ekw_detector_event *event) {
    uint16_t *recent = detector->recent[detector->slot];
    int32_t best = -1;
    detector->slot = (uint16_t)(detector->slot + 1 < detector->smoothing_steps ? detector->slot + 1 : 0);
    detector->rest = (uint16_t)(detector->rest > 0 ? detector->rest - 1 : 0);
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        detector->sums[k] += posteriors[k] - recent[k];
        recent[k] = posteriors[k];
        detector->histogram[k][posteriors[k] >> EKW_DETECTOR_BIN_BITS]++;
        if (detector->sums[k] < detector->thresholds[k] * detector->smoothing_steps) {
            detector->armed[k] = true;
        } else if (detector->armed[k] && (best < 0 || detector->sums[k] > detector->sums[best])) {
            best = k;
        }
    }
    const uint32_t step = detector->steps++;
    if (best < 0 || detector->rest > 0) {
        return false;
    }
    detector->armed[best] = false;
    detector->rest = detector->refractory_steps;
    event->keyword = best;
    event->step = step;
    event->score = detector->sums[best] / detector->smoothing_steps;
    return true;
}

#endif
