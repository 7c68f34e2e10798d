/* What a firmware does at the steps of a stream beside its events. Calls of nothing, unless it is that of MLPerf Tiny's
 * streaming wake word (sww01/watch.c). */
#ifndef EKW_WATCH_H
#define EKW_WATCH_H

#include <stdint.h>

#ifdef EKW_SWW01
void ekw_watch_begin(void); /* a stream begins */
void ekw_watch_frame(void); /* samples have arrived */
void ekw_watch_scores(const int8_t *scores);
void ekw_watch_frame_done(void);
#else
static inline void ekw_watch_begin(void) {
}

static inline void ekw_watch_frame(void) {
}

static inline void ekw_watch_scores(const int8_t *scores) {
    (void)scores;
}

static inline void ekw_watch_frame_done(void) {
}
#endif

#endif
