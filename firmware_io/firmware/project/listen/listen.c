/* Words in sound: a WAV file of one channel and 16 bits on standard input, one line of JSON for each event on standard
 * output.
 *
 *     ./listen < sound.wav
 *     ./listen --raw           samples without a header: 16 bits, little-endian, one channel
 *     ./listen --golden        the test: noise that this program makes, whose scores and events are known
 *
 * Compiled with -ffreestanding it is only the test: call main() from your own start-up code. */
#include "ekw.h"
#include "golden.h"

static uint32_t hash_of(uint32_t hash, const int8_t *scores) {
    for (int32_t i = 0; i < EKW_LABELS; i++) {
        hash = (hash ^ (uint8_t)scores[i]) * 16777619u; /* FNV-1a */
    }
    return hash;
}

/* Noise whose level changes every quarter of a second. */
static int16_t noise(uint32_t *state, int32_t number) {
    *state = *state * 1664525u + 1013904223u;
    return (int16_t)((int16_t)(*state >> 16) >> (number / 4000 % 8));
}

/* Differences from the scores and events that golden.h has. */
static int32_t wrong(void) {
    uint32_t state = 1, hash = 2166136261u, steps = 0;
    int32_t events = 0, failed = 0;
    ekw_begin();
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        ekw_listener.thresholds[k] = golden_thresholds[k];
    }
    for (int32_t i = 0; i < EKW_GOLDEN_SAMPLES; i++) {
        const int16_t sample = noise(&state, i);
        ekw_event event;
        ekw_push(&sample, 1);
        if (ekw_steps() != steps) {
            steps = ekw_steps();
            hash = hash_of(hash, ekw_scores());
        }
        while (ekw_event_next(&event)) {
            const golden_event *known = &golden_events[events < EKW_GOLDEN_EVENTS ? events : 0];
            failed += events >= EKW_GOLDEN_EVENTS || event.time_samples != known->time_samples ||
                      event.keyword != known->keyword || event.score != known->score;
            events++;
        }
    }
    return failed + (events != EKW_GOLDEN_EVENTS) + (steps != EKW_GOLDEN_STEPS) + (hash != EKW_GOLDEN_HASH);
}

#if __STDC_HOSTED__
#include <stdio.h>
#include <string.h>

static uint32_t little(const uint8_t *bytes, int32_t count) {
    uint32_t value = 0;
    while (count-- > 0) {
        value = value << 8 | bytes[count];
    }
    return value;
}

static void push_bytes(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i + 1 < count; i += 2) {
        const int16_t sample = (int16_t)(uint16_t)little(bytes + i, 2);
        ekw_event event;
        ekw_push(&sample, 1);
        while (ekw_event_next(&event)) {
            printf("{\"time_samples\": %llu, \"word\": \"%s\", \"score\": %ld}\n",
                   (unsigned long long)event.time_samples, ekw_keywords[event.keyword], (long)event.score);
            fflush(stdout);
        }
    }
}

/* Skips the chunks of a WAV file before its samples. */
static int open_wav(void) {
    uint8_t head[8], format[16];
    while (fread(head, 1, 8, stdin) == 8) {
        uint32_t left = little(head + 4, 4);
        if (memcmp(head, "data", 4) == 0) {
            return 0;
        }
        if (memcmp(head, "fmt ", 4) == 0 && left >= 16 && fread(format, 1, 16, stdin) == 16) {
            left -= 16;
            if (little(format + 2, 2) != 1 || little(format + 4, 4) != EKW_RATE_HZ || little(format + 14, 2) != 16) {
                fprintf(stderr, "the sound should have one channel of 16 bits at %d Hz\n", EKW_RATE_HZ);
                return 2;
            }
        }
        for (left += left & 1; left > 0 && getchar() != EOF; left--) {
        }
    }
    fprintf(stderr, "the WAV file should have samples\n");
    return 2;
}

static int refuse(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    return 2;
}

/* Standard input up to its samples, which follow a header unless `raw`. 0, or the exit code of a refusal. */
static int open_input(bool raw) {
    uint8_t head[12];
    if (raw) {
        return 0;
    }
    const size_t count = fread(head, 1, sizeof head, stdin);
    if (count == 0) {
        return refuse("the input is empty: give a WAV file, as in ./listen < sound.wav");
    }
    if (count < sizeof head || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0) {
        return refuse("the input should be a WAV file; for samples without a header give --raw");
    }
    return open_wav();
}

static int listen_to_input(bool raw) {
    static uint8_t bytes[640];
    const int refused = open_input(raw);
    if (refused != 0) {
        return refused;
    }
    size_t count, all = 0;
    ekw_begin();
    while ((count = fread(bytes, 1, sizeof bytes, stdin)) > 0) {
        push_bytes(bytes, count);
        all += count;
    }
    return all < 2 ? refuse("the input should have samples") : 0;
}

int main(int count, char **words) {
    if (count > 1 && strcmp(words[1], "--golden") == 0) {
        const int32_t failed = wrong();
        puts(failed ? "WRONG SCORES OR EVENTS" : "all scores and events are equal");
        return failed != 0;
    }
    const bool raw = count == 2 && strcmp(words[1], "--raw") == 0;
    if (count > 1 && !raw) {
        return refuse("give the sound as ./listen < sound.wav; the options are --raw and --golden");
    }
    return listen_to_input(raw);
}
#else
int main(void) {
    return wrong() != 0;
}
#endif
