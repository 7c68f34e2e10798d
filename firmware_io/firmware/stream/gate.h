/* A network that rests while it is quiet. The definition is edgekws/detect/gate.py. Only with EKW_GATE_MARGIN, which
 * ekw_config.h has where the detector has a gate. */
#ifndef EKW_GATE_H
#define EKW_GATE_H

#include "ekw_config.h"
#include "model_stream.h"

#if defined(EKW_GATE_MARGIN)

#define EKW_GATE_FRACTION 256 /* the floor is in 1/256 of a level */
#define EKW_GATE_RISE 5
#define EKW_GATE_FALL 8
#define EKW_GATE_KEPT (EKW_GATE_CLIP_ROWS + EKW_STEP_ROWS - 1)

static struct {
    int8_t kept[EKW_GATE_KEPT][EKW_COEFFICIENTS]; /* the last rows, a ring */
    int32_t next;                                 /* the place of the next one */
    int32_t floor;
    int32_t since;    /* rows since the last loud one */
    int32_t until;    /* rows until the next step is complete */
    uint32_t missed;  /* rows that the network has not had; EKW_GATE_CLIP_ROWS + 1 for more than a clip */
    int32_t phase;    /* rows, modulo EKW_STEP_ROWS */
    bool is_begun;
    uint32_t skipped; /* steps without the network */
} gate;

static void gate_begin(void) {
    gate.next = gate.since = gate.phase = 0;
    gate.until = EKW_STREAM_FIRST_ROWS;
    gate.missed = gate.skipped = 0;
    gate.is_begun = false;
}

/* Whether this row is open. */
static bool gate_is_open(const int8_t *row) {
    int32_t level = 0;
    for (int32_t i = 0; i < EKW_GATE_VALUES; i++) {
        level += row[i];
    }
    level *= EKW_GATE_FRACTION;
    if (!gate.is_begun) {
        gate.is_begun = true;
        gate.floor = level;
    } else if (level - gate.floor >= EKW_GATE_MARGIN * EKW_GATE_FRACTION) {
        gate.since = 0;
    } else if (gate.since < EKW_GATE_HANGOVER_ROWS) {
        gate.since++;
    }
    if (level > gate.floor) {
        gate.floor = level - gate.floor > EKW_GATE_RISE ? gate.floor + EKW_GATE_RISE : level;
    } else {
        gate.floor -= (gate.floor - level) / EKW_GATE_FALL;
    }
    return gate.since < EKW_GATE_HANGOVER_ROWS;
}

/* The network takes the rows that it missed, whose steps have their scores. */
static void gate_catch_up(void) {
    int8_t unused[EKW_LABELS];
    int32_t count = (int32_t)gate.missed;
    if (count > EKW_GATE_CLIP_ROWS) {
        ekw_stream_reset();
        /* the phase that rows - EKW_GATE_CLIP_ROWS has within a step is dropped */
        count = EKW_GATE_CLIP_ROWS + (gate.phase + EKW_STEP_ROWS - EKW_GATE_CLIP_ROWS % EKW_STEP_ROWS) % EKW_STEP_ROWS;
    }
    int32_t place = gate.next >= count ? gate.next - count : gate.next - count + EKW_GATE_KEPT;
    while (count-- > 0) {
        (void)ekw_stream_row(gate.kept[place], unused);
        place = place + 1 < EKW_GATE_KEPT ? place + 1 : 0;
    }
    gate.missed = 0;
}

static void gate_keep(const int8_t *row) {
    for (int32_t i = 0; i < EKW_COEFFICIENTS; i++) {
        gate.kept[gate.next][i] = row[i];
    }
    gate.next = gate.next + 1 < EKW_GATE_KEPT ? gate.next + 1 : 0;
    gate.phase = gate.phase + 1 < EKW_STEP_ROWS ? gate.phase + 1 : 0;
}

static void gate_rest(int8_t *scores) {
    for (int32_t i = 0; i < EKW_LABELS; i++) {
        scores[i] = i == EKW_GATE_LABEL ? 127 : -128;
    }
    gate.skipped++;
}

/* As ekw_stream_row: whether the row completes a step, and its scores. */
static bool gate_row(const int8_t *row, int8_t *scores) {
    const bool is_open = gate_is_open(row);
    if (is_open && gate.missed != 0) {
        gate_catch_up();
    }
    gate_keep(row);
    const bool is_step = --gate.until == 0;
    if (is_step) {
        gate.until = EKW_STEP_ROWS;
    }
    if (is_open) {
        (void)ekw_stream_row(row, scores);
        return is_step;
    }
    gate.missed += gate.missed <= EKW_GATE_CLIP_ROWS;
    if (is_step) {
        gate_rest(scores);
    }
    return is_step;
}

#else

static void gate_begin(void) {
}

static bool gate_row(const int8_t *row, int8_t *scores) {
    return ekw_stream_row(row, scores);
}

#endif

#endif
