#include "listen/listen.h"

#include "app/crc32.h"
#include "app/protocol.h"
#include "app/text.h"
#include "listen/frames.h"
#include "listen/watch.h"
#include "stream/ekw.h"

static struct {
    bool is_on;
    uint32_t expected; /* sequence number of the next frame, 16 bits */
    uint64_t samples;
    uint32_t steps, events, scores_crc32, damaged, missing;
} stream;

bool ekw_listen_is_on(void) {
    return stream.is_on;
}

static void put_field(const char *before, uint64_t value) {
    ekw_put(before);
    ekw_put_unsigned(value);
}

static void put_event(const ekw_event *event) {
    ekw_put("m-event-[");
    ekw_put(ekw_keywords[event->keyword]);
    put_field(",", event->time_samples);
    put_field(",", (uint64_t)event->score);
    ekw_put_line("]");
}

void ekw_listen_samples(const int16_t *samples, int32_t count) {
    ekw_event event;
    ekw_watch_frame();
    ekw_push(samples, count);
    stream.samples += (uint64_t)count;
    if (ekw_steps() != stream.steps) {
        stream.steps = ekw_steps();
        stream.scores_crc32 = ekw_crc32(stream.scores_crc32, (const uint8_t *)ekw_scores(), EKW_LABELS);
        ekw_watch_scores(ekw_scores());
    }
    ekw_watch_frame_done();
    while (ekw_event_next(&event)) {
        stream.events++;
        put_event(&event);
    }
}

void ekw_listen_begin(void) {
    ekw_begin();
    ekw_watch_begin();
    stream.samples = 0;
    stream.steps = stream.events = stream.scores_crc32 = stream.damaged = stream.missing = stream.expected = 0;
}

void ekw_listen_end(void) {
    put_field("m-heard-[", stream.samples);
    put_field(",", stream.steps);
    put_field(",", stream.events);
    ekw_put(",");
    ekw_put_hex(stream.scores_crc32, 8);
    put_field(",", stream.damaged);
    put_field(",", stream.missing);
    ekw_put_line("]");
}

void ekw_answer_stream(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put("m-stream-[" EKW_FRONT_END_ID "," EKW_GRAPH_ID);
    put_field(",", EKW_RATE_HZ);
    put_field(",", EKW_HOP_SAMPLES);
    put_field(",", EKW_STEP_ROWS);
    put_field(",", EKW_FRAME_SAMPLES);
    put_field(",", EKW_FRAMES_IN_FLIGHT);
    ekw_put_line("]");
}

void ekw_listen_command(const char *front_end, const char *unused) {
    (void)unused;
    if (!ekw_same(front_end, EKW_FRONT_END_ID)) {
        ekw_put_line("e-[The front end is " EKW_FRONT_END_ID "]");
        return;
    }
    ekw_listen_begin();
    ekw_frame_reset();
    stream.is_on = true;
}

/* The answer to each frame, whole or damaged: the sequence number that is expected next. */
static void answer(const char *line) {
    put_field(line, stream.expected);
    ekw_put_line("]");
}

static void end(void) {
    stream.is_on = false;
    ekw_listen_end();
}

/* A frame that was received before, whose answer the host has not seen, is not counted and answered again. */
static void take(const ekw_frame *frame) {
    const uint32_t ahead = (frame->sequence - stream.expected) & 0xFFFFu;
    if (ahead != 0) {
        stream.missing += ahead < 0x8000u;
        answer(ahead < 0x8000u ? "m-nak-[" : "m-ack-[");
    } else if (frame->kind == EKW_FRAME_END) {
        end();
        ekw_put_line("m-ready");
    } else {
        ekw_listen_samples(frame->samples, frame->count);
        stream.expected = (stream.expected + 1) & 0xFFFFu;
        answer("m-ack-[");
    }
}

static void obey(const char *command) {
    end();
    while (*command != '\0') {
        ekw_protocol_feed(*command++);
    }
}

void ekw_listen_feed(uint8_t byte) {
    ekw_frame frame;
    switch (ekw_frame_feed(byte, &frame)) {
    case EKW_FRAME_WHOLE:
        take(&frame);
        break;
    case EKW_FRAME_DAMAGED:
        stream.damaged++;
        answer("m-nak-[");
        break;
    case EKW_FRAME_IS_COMMAND:
        obey(ekw_frame_command());
        break;
    default:
        break;
    }
}
