/* What a stream costs, by stage. Calls of nothing, unless EKW_LAPS is defined: then the application has a clock. */
#ifndef EKW_LAPS_H
#define EKW_LAPS_H

typedef enum { EKW_STAGE_FRONT_END, EKW_STAGE_NETWORK, EKW_STAGE_DETECTOR, EKW_STAGES } ekw_stream_stage;

#ifdef EKW_LAPS
void ekw_lap_begin(void);
void ekw_lap_end(ekw_stream_stage stage);
#else
static inline void ekw_lap_begin(void) {
}

static inline void ekw_lap_end(ekw_stream_stage stage) {
    (void)stage;
}
#endif

#endif
