/* fuzz INPUTS SEED: the firmware that listens, between an imitated serial line and what this program knows. An input is
 * a frame, whole or damaged, or a command. Any finding ends the program.
 *
 * After each stream its samples are heard again, in blocks of other lengths: the same scores and events have to come,
 * none lost and none invented, whatever was damaged on the way. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/crc32.h"
#include "app/protocol.h"
#include "listen/listen.h"
#include "stream/ekw.h"
#include "stream_line.h"

#define MOST_SAMPLES 40000
#define MOST_EVENTS 1024
#define REPORTS 100

static uint64_t state; /* of the generator */
static struct {
    int16_t samples[MOST_SAMPLES];
    int32_t count;
    uint32_t sequence;
    ekw_event events[MOST_EVENTS]; /* printed */
    uint32_t printed;
} stream;
static uint64_t inputs, streams, frames, damaged, commands, events;

static void stop(const char *finding) {
    text[written] = '\0';
    fprintf(stderr, "FINDING at input %" PRIu64 ": %s, frame %" PRIu32 "\nanswered: %s\n", inputs, finding, stream.sequence, text);
    abort();
}

/* splitmix64 */
static uint32_t below(uint32_t limit) {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) % limit);
}

static void feed(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ekw_listen_is_on()) {
            ekw_listen_feed(bytes[i]);
        } else if (bytes[i] != 0) {
            ekw_protocol_feed((char)bytes[i]);
        }
    }
}

static int16_t sample(uint32_t kind, int32_t at) {
    switch (kind) {
    case 0: /* silence */
        return 0;
    case 1: /* the loudest */
        return below(2) != 0 ? INT16_MAX : INT16_MIN;
    case 2: /* a step */
        return at % 100 < 50 ? INT16_MIN : INT16_MAX;
    case 3: /* one sample */
        return at == 17 ? INT16_MIN : 0;
    case 4: /* a constant */
        return 1;
    default:
        return (int16_t)((int32_t)below(65536) - 32768);
    }
}

static int32_t some_samples(int16_t *samples) {
    const int32_t count = below(4) == 0 ? EKW_FRAME_SAMPLES : 1 + (int32_t)below(below(8) == 0 ? EKW_FRAME_SAMPLES : 24);
    const uint32_t kind = below(8);
    for (int32_t i = 0; i < count; i++) {
        samples[i] = sample(kind, i);
    }
    return count;
}

/* Reads the events off the answer; the rest has to be `lines` times `line`, in any place among them. */
static void take_answer(const char *line, int32_t lines) {
    text[written] = '\0';
    char *at = text;
    for (char *end; (end = strstr(at, "\r\n")) != NULL; at = end + 2) {
        *end = '\0';
        ekw_event *event = stream.events + stream.printed;
        char word[80];
        if (sscanf(at, "m-event-[%79[^,],%" SCNu64 ",%" SCNd32 "]", word, &event->time_samples, &event->score) == 3) {
            event->keyword = 0;
            while (event->keyword < EKW_DETECTOR_KEYWORDS && strcmp(ekw_keywords[event->keyword], word) != 0) {
                event->keyword++;
            }
            if (event->keyword == EKW_DETECTOR_KEYWORDS || ++stream.printed == MOST_EVENTS) {
                stop("an unknown keyword, or too many events");
            }
        } else if (strcmp(at, line) == 0) {
            lines--;
        } else {
            fprintf(stderr, "expected %s\n", line);
            stop("another answer than expected");
        }
    }
    if (*at != '\0' || lines != 0) {
        stop("too few or too many answers, or half a line");
    }
    written = 0;
}

static bool is_same(const ekw_event *a, const ekw_event *b) {
    return a->keyword == b->keyword && a->time_samples == b->time_samples && a->score == b->score;
}

/* Hears the samples of the stream again, as it should have been. */
static uint32_t heard_again(uint32_t *steps) {
    uint32_t crc = 0, taken = 0;
    ekw_event event;
    ekw_begin();
    *steps = 0;
    for (int32_t at = 0; at < stream.count;) {
        int32_t count = 1 + (int32_t)below(EKW_HOP_SAMPLES);
        count = count < stream.count - at ? count : stream.count - at;
        ekw_push(stream.samples + at, count);
        at += count;
        if (ekw_steps() != *steps) {
            crc = ekw_crc32(crc, (const uint8_t *)ekw_scores(), EKW_LABELS);
            ++*steps;
        }
        while (ekw_event_next(&event)) {
            if (taken == stream.printed || !is_same(&event, stream.events + taken++)) {
                stop("an event that was not printed, or another one");
            }
        }
    }
    if (taken != stream.printed || *steps != ekw_steps()) {
        stop("an event that was invented, or steps that were not counted");
    }
    return crc;
}

static void answer_of(const char *kind, char *line) {
    sprintf(line, "m-%s-[%" PRIu32 "]", kind, stream.sequence & 0xFFFFu);
}

/* How often the firmware has written this line. */
static int32_t refusals(const char *line) {
    int32_t lines = 0;
    text[written] = '\0';
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        lines++;
    }
    return lines;
}

/* The line of the end, which begins the answer after events; what follows is `rest`. */
static void check_end(const char *rest) {
    uint64_t samples;
    uint32_t steps, count, crc, bad, missing, again_steps;
    char line[40];
    int size = 0;
    text[written] = '\0';
    char *heard = strstr(text, "m-heard-[");
    if (heard == NULL || sscanf(heard, "m-heard-[%" SCNu64 ",%" SCNu32 ",%" SCNu32 ",%" SCNx32 ",%" SCNu32 ",%" SCNu32
                                       "]\r\n%n", &samples, &steps, &count, &crc, &bad, &missing, &size) != 6) {
        stop("no line of the end");
    }
    if (strncmp(heard + size, rest, strlen(rest)) != 0 || ekw_listen_is_on()) {
        stop("another answer behind the line of the end");
    }
    written = (size_t)(heard - text);
    answer_of("nak", line);
    take_answer(line, refusals(line)); /* of damage in front of a command */
    if (samples != (uint64_t)stream.count || count != stream.printed) {
        stop("samples or events that were not counted");
    }
    if (heard_again(&again_steps) != crc || again_steps != steps) {
        stop("other scores than those of the same samples");
    }
    streams++;
    events += stream.printed;
}

static void next_frame(uint8_t *wire) {
    int16_t samples[EKW_FRAME_SAMPLES];
    char line[40];
    const int32_t count = some_samples(samples);
    feed(wire, encoded(EKW_FRAME_AUDIO, stream.sequence, samples, count, wire));
    memcpy(stream.samples + stream.count, samples, (size_t)count * sizeof *samples);
    stream.count += count;
    stream.sequence++;
    answer_of("ack", line);
    take_answer(line, 1);
    frames++;
}

/* A whole frame that is not the next one: lost ones before it, or it came before. */
static void other_frame(uint8_t *wire) {
    int16_t samples[EKW_FRAME_SAMPLES];
    char line[40];
    const uint32_t away = 1 + below(0x7FFE);
    const bool is_ahead = below(2) != 0;
    const uint32_t sequence = is_ahead ? stream.sequence + away : stream.sequence - away;
    const bool is_end = below(4) == 0;
    feed(wire, encoded(is_end ? EKW_FRAME_END : EKW_FRAME_AUDIO, sequence, samples, is_end ? 0 : some_samples(samples), wire));
    answer_of(is_ahead ? "nak" : "ack", line);
    take_answer(line, 1);
}

/* At the beginning of a frame, printable bytes and a '%' are a command: that of another host. */
static bool has_become_a_command(void) {
    if (ekw_listen_is_on()) {
        return false;
    }
    check_end("");
    return true;
}

/* Whether a whole frame, with its 0, follows the beginning or the end of another. */
static bool contains(const uint8_t *wire, size_t size, const uint8_t *whole, size_t whole_size) {
    for (size_t at = 0; at + whole_size <= size; at++) {
        if ((at == 0 || wire[at - 1] == 0) && memcmp(wire + at, whole, whole_size) == 0) {
            return true;
        }
    }
    return false;
}

static void damaged_frame(uint8_t *wire) {
    int16_t samples[EKW_FRAME_SAMPLES];
    char line[40];
    uint8_t whole[WIRE_BYTES];
    const size_t whole_size = encoded(EKW_FRAME_AUDIO, stream.sequence, samples, some_samples(samples), whole);
    size_t size = whole_size - 1;
    memcpy(wire, whole, size);
    for (uint32_t times = 1 + below(3); times > 0 && size > 0; times--) {
        const size_t at = below((uint32_t)size);
        switch (below(4)) {
        case 0:
            wire[at] = (uint8_t)(wire[at] ^ (1 + below(255)));
            break;
        case 1:
            memmove(wire + at, wire + at + 1, --size - at);
            break;
        case 2:
            memmove(wire + at + 1, wire + at, size++ - at);
            wire[at] = (uint8_t)below(256);
            break;
        default:
            size = at;
        }
    }
    wire[size++] = 0;
    if (contains(wire, size, whole, whole_size)) {
        return; /* the damage undid itself, or stands between frames */
    }
    feed(wire, size);
    damaged++;
    if (has_become_a_command()) {
        written = 0;
        return;
    }
    answer_of("nak", line);
    take_answer(line, refusals(line));
}

static void garbage(uint8_t *wire) {
    char line[40];
    size_t size = below(WIRE_BYTES - 2);
    for (size_t i = 0; i < size; i++) {
        wire[i] = (uint8_t)below(below(8) == 0 ? 4 : 256);
    }
    wire[size++] = 0;
    feed(wire, size);
    damaged++;
    if (has_become_a_command()) {
        written = 0;
        return;
    }
    answer_of("nak", line);
    take_answer(line, refusals(line));
}

static void end_frame(uint8_t *wire) {
    feed(wire, encoded(EKW_FRAME_END, stream.sequence, NULL, 0, wire));
    check_end("m-ready\r\n");
}

static void interrupted(void) {
    feed((const uint8_t *)"\0name%", 6);
    check_end("m-name-dut-[");
    commands++;
}

static void frame(uint8_t *wire) {
    const uint32_t kind = stream.count > MOST_SAMPLES - EKW_FRAME_SAMPLES ? 999 : below(1000);
    if (kind < 800) {
        next_frame(wire);
    } else if (kind < 870) {
        other_frame(wire);
    } else if (kind < 970) {
        damaged_frame(wire);
    } else if (kind < 990) {
        garbage(wire);
    } else if (kind < 994) {
        interrupted();
    } else {
        end_frame(wire);
    }
}

static size_t some_command(char *line) {
    static const char *const words[] = {"threshold", "smoothing", "refractory", "settings", "histogram", "cost",
                                        "stream",    "listen",    "name",       "help",     "profile",   "check",
                                        "memory",    "image",     "timestamp",  "",         "listen xyz", "?"};
    static const char *const numbers[] = {"0", "1", "2", "3", "32", "33", "-1", "1000", "1001", "1002", "65535",
                                          "65536", "4294967296", "reset", "x", "", "500", "120"};
    return (size_t)sprintf(line, "%s %s %s%%", words[below(sizeof words / sizeof *words)],
                           numbers[below(sizeof numbers / sizeof *numbers)],
                           numbers[below(sizeof numbers / sizeof *numbers)]);
}

static void command(uint8_t *wire) {
    static const char ready[] = "m-ready\r\n";
    size_t size;
    if (below(2) == 0) {
        size = (size_t)sprintf((char *)wire, "listen %s%%", EKW_FRONT_END_ID);
    } else if (below(6) == 0) {
        for (size = 0; size < below(100); size++) {
            wire[size] = (uint8_t)below(256);
        }
        wire[size++] = '%';
    } else {
        size = some_command((char *)wire);
    }
    for (size_t i = 0; i < size && !ekw_listen_is_on(); i++) {
        feed(wire + i, 1);
    }
    commands++;
    if (written < sizeof ready - 1 || memcmp(text + written - (sizeof ready - 1), ready, sizeof ready - 1) != 0) {
        stop("no m-ready at the end");
    }
    for (size_t i = 0; i < written; i++) {
        if ((text[i] < ' ' || text[i] > '~') && text[i] != '\r' && text[i] != '\n') {
            stop("a character that is not printable ASCII");
        }
    }
    written = 0;
    stream.count = 0;
    stream.sequence = 0;
    stream.printed = 0;
}

static void report(void) {
    printf("%" PRIu64 " inputs: %" PRIu64 " frames, %" PRIu64 " damaged, %" PRIu64 " commands, %" PRIu64 " streams, %" PRIu64
           " events\n", inputs, frames, damaged, commands, streams, events);
    fflush(stdout);
}

int main(int count, char **words) {
    static uint8_t wire[WIRE_BYTES];
    if (count != 3) {
        return 2;
    }
    const uint64_t most = strtoull(words[1], NULL, 10), step = most / REPORTS + 1;
    state = strtoull(words[2], NULL, 10);
    ekw_begin();
    while (inputs < most) {
        inputs++;
        if (ekw_listen_is_on()) {
            frame(wire);
        } else {
            command(wire);
        }
        if (inputs % step == 0 && inputs != most) {
            report();
        }
    }
    report();
    return 0;
}
