#include "oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "model.h"

#define LONGEST_COMMAND ORACLE_LONGEST_COMMAND
#define WORDS 3
#define SIZE EKW_MODEL_INPUT_BYTES
#define NO_BUILD 0 /* nothing writes a build id into the fuzzer */

/* State of the device between two commands. */
static struct {
    uint8_t tensor[SIZE];
    long long expected, loaded;
    bool has_scores;
} device;

/* CRC-32 of the bytes on the line since the last answer to `check`. */
static struct {
    uint32_t received, sent;
    bool restarts; /* with the next byte that is received */
} traffic;

typedef struct {
    char text[LONGEST_COMMAND + 1];
    const char *word[WORDS];
} words;

__attribute__((format(printf, 2, 3))) static void say(oracle_answer *answer, const char *format, ...) {
    va_list values;
    va_start(values, format);
    const size_t room = EXPECTED_BYTES - answer->used;
    const int written = vsnprintf(answer->text + answer->used, room, format, values);
    va_end(values);
    if (written < 0 || (size_t)written >= room) {
        abort();
    }
    answer->used += (size_t)written;
}

__attribute__((format(printf, 2, 3))) static void refuse(oracle_answer *answer, const char *format, ...) {
    char text[LONGEST_COMMAND + 100];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    say(answer, "%s\r\n", text);
    answer->refused = true;
}

/* False: more characters than a command may have. Unprintable bytes become '?'. */
static bool split(const uint8_t *command, size_t size, words *command_words) {
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (command[i] == '\r' || command[i] == '\n') {
            continue;
        }
        if (used == LONGEST_COMMAND) {
            return false;
        }
        command_words->text[used++] = command[i] < ' ' || command[i] > '~' ? '?' : (char)command[i];
    }
    command_words->text[used] = '\0';
    char *rest = command_words->text;
    for (size_t i = 0; i < WORDS; i++) {
        rest += strspn(rest, " ");
        command_words->word[i] = rest;
        rest += strcspn(rest, " ");
        if (*rest != '\0') {
            *rest++ = '\0';
        }
    }
    return true;
}

/* `wrong` for a word that is not a number; strtoll saturates far beyond int32. */
static long long number(const char *word, long long absent, long long wrong) {
    const size_t sign = word[0] == '-' ? 1 : 0, digits = strspn(word + sign, "0123456789");
    if (word[0] == '\0') {
        return absent;
    }
    if (digits == 0 || word[sign + digits] != '\0') {
        return wrong;
    }
    const long long value = strtoll(word, NULL, 10);
    return value > INT32_MAX ? INT32_MAX : value < -INT32_MAX ? -INT32_MAX : value;
}

static void load(const char *size, oracle_answer *answer) {
    const long long count = number(size, 0, 0);
    if (size[0] == '\0') {
        refuse(answer, "e-[Command 'db load' requires the # of bytes]");
        return;
    }
    if (count <= 0) {
        refuse(answer, "e-[Command 'db load' must be >0 bytes]");
        return;
    }
    memset(&device, 0, sizeof device);
    if (count > SIZE) {
        refuse(answer, "Supplied buffer size %lld exceeds maximum of %d", count, SIZE);
        return;
    }
    device.expected = count;
    say(answer, "m-[Expecting %lld bytes]\r\n", count);
}

/* Digits after the last expected byte are not checked, but have to be complete bytes too. */
static bool refuse_digits(const char *digits, oracle_answer *answer) {
    if (strlen(digits) % 2 != 0) {
        refuse(answer, "e-[Insufficent number of hex digits]");
        return true;
    }
    const size_t good = strspn(digits, "0123456789abcdefABCDEF");
    const size_t needed = 2u * (size_t)(device.expected - device.loaded);
    if (digits[good] != '\0' && good < needed) {
        refuse(answer, "e-[Invalid hex digit '%.2s']", digits + good / 2 * 2);
        return true;
    }
    return false;
}

static void take(const char *digits, oracle_answer *answer) {
    if (device.expected == 0) {
        refuse(answer, "e-[Command 'db' needs a 'db load' before]");
    } else if (!refuse_digits(digits, answer)) {
        const bool was_done = device.loaded == device.expected;
        for (; *digits != '\0' && device.loaded < device.expected; digits += 2) {
            const char pair[3] = {digits[0], digits[1], '\0'};
            device.tensor[device.loaded++] = (uint8_t)strtoul(pair, NULL, 16);
        }
        say(answer, "%s", !was_done && device.loaded == device.expected ? "m-load-done\r\n" : "");
    }
}

static void print(oracle_answer *answer) {
    for (long long i = 0; i < device.expected; i++) {
        say(answer, "%s%02x", i % 8 == 0 ? "m-buffer-" : "-", device.tensor[i]);
        say(answer, "%s", i % 8 == 7 || i == device.expected - 1 ? "\r\n" : "");
    }
}

static void answer_db(const char *const word[WORDS], oracle_answer *answer) {
    if (word[1][0] == '\0') {
        refuse(answer, "e-[Command 'db' requires a subcommand]");
    } else if (strcmp(word[1], "load") == 0) {
        load(word[2], answer);
    } else if (strcmp(word[1], "print") == 0) {
        print(answer);
    } else {
        take(word[1], answer);
    }
}

/* In 128 bits at once; the firmware divides in steps. */
static void lap(uint64_t ticks, oracle_answer *answer) {
    __extension__ typedef unsigned __int128 wide;
    say(answer, "m-lap-us-%" PRIu64 "\r\n", (uint64_t)((wide)ticks * 1000000u / EKW_TIMER_HZ));
}

static void mark(oracle_answer *answer, char kind, long long times) {
    for (; times > 0; times--) {
        say(answer, "%c", kind);
    }
}

static void stamp(uint64_t ticks, oracle_answer *answer) {
    if (EKW_ENERGY_MODE) {
        mark(answer, EDGE_MARK, 1);
    } else {
        lap(ticks, answer);
    }
}

static bool refuse_without_scores(oracle_answer *answer) {
    if (!device.has_scores) {
        refuse(answer, "e-[No inference has been run on this input]");
    }
    return !device.has_scores;
}

void model_run_uncounted(const int8_t *input, int8_t *scores);

static void results(oracle_answer *answer) {
    int8_t scores[EKW_MODEL_LABELS];
    uint64_t sum = 0;
    int best = INT8_MIN;
    if (refuse_without_scores(answer)) {
        return;
    }
    model_run_uncounted((const int8_t *)device.tensor, scores);
    for (int i = 0; i < EKW_MODEL_LABELS; i++) {
        best = scores[i] > best ? scores[i] : best;
    }
    for (int i = 0; i < EKW_MODEL_LABELS; i++) {
        sum += ekw_model_exp[best - scores[i]];
    }
    for (int i = 0; i < EKW_MODEL_LABELS; i++) {
        const uint64_t permille = 1000u * (uint64_t)ekw_model_exp[best - scores[i]] / sum;
        say(answer, "%s%" PRIu64 ".%03" PRIu64, i == 0 ? "m-results-[" : ",", permille / 1000, permille % 1000);
    }
    say(answer, "]\r\n");
}

static void infer(const char *const word[WORDS], uint64_t ticks, oracle_answer *answer) {
    const long long iterations = number(word[1], 1, 0), warmups = number(word[2], 10, -1);
    if (iterations <= 0) {
        refuse(answer, "e-[Inference iterations must be >0]");
    } else if (warmups < 0) {
        refuse(answer, "e-[Inference warmup must be >=0]");
    } else if (device.loaded != SIZE) {
        refuse(answer, "Input db has %lld elemented, expected %d", device.loaded, SIZE);
    } else if (iterations + warmups > RUNS_PER_COMMAND) {
        answer->endless = true;
    } else {
        say(answer, "m-warmup-start-%lld\r\n", warmups);
        mark(answer, RUN_MARK, warmups);
        say(answer, "m-warmup-done\r\nm-infer-start-%lld\r\n", iterations);
        mark(answer, FLUSH_MARK, EKW_ENERGY_MODE ? 1 : 0);
        stamp(ticks, answer);
        mark(answer, RUN_MARK, iterations);
        stamp(ticks, answer);
        say(answer, "m-infer-done\r\n");
        device.has_scores = answer->inferred = true;
        results(answer);
    }
}

/* The clock does not advance within a command, so every layer takes 0 ticks. */
static void layers(const char *const word[WORDS], oracle_answer *answer) {
    const long long iterations = number(word[1], 1, 0);
    if (iterations <= 0 || iterations > 1000000) {
        refuse(answer, "e-[Layer iterations must be 1 to 1000000]");
    } else if (device.loaded != SIZE) {
        refuse(answer, "e-[No complete input has been loaded]");
    } else if (iterations > RUNS_PER_COMMAND) {
        answer->endless = true;
    } else {
        say(answer, "m-layers-[1,%lld,%u]\r\n", iterations, EKW_TIMER_HZ);
        mark(answer, RUN_MARK, iterations);
        say(answer, "m-layer-[0,0]\r\n");
    }
}

/* CRC-32 of zlib by a table; the firmware computes it bit by bit. */
static uint32_t crc32(uint32_t before, const uint8_t *bytes, long long count) {
    static uint32_t table[256];
    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = value & 1u ? 0xEDB88320u ^ (value >> 1) : value >> 1;
        }
        table[i] = value;
    }
    uint32_t crc = before ^ UINT32_MAX;
    for (long long i = 0; i < count; i++) {
        crc = table[(crc ^ bytes[i]) & 255u] ^ (crc >> 8);
    }
    return crc ^ UINT32_MAX;
}

static void raw(oracle_answer *answer) {
    int8_t scores[EKW_MODEL_LABELS];
    if (!refuse_without_scores(answer)) {
        model_run_uncounted((const int8_t *)device.tensor, scores);
        for (int i = 0; i < EKW_MODEL_LABELS; i++) {
            say(answer, "%s%d", i == 0 ? "m-raw-[" : ",", scores[i]);
        }
        say(answer, "]\r\n");
    }
    say(answer, "m-input-crc32-[%08" PRIx32 "]\r\n", crc32(0, device.tensor, device.loaded));
}

void oracle_received(uint8_t byte) {
    if (traffic.restarts) {
        memset(&traffic, 0, sizeof traffic);
    }
    traffic.received = crc32(traffic.received, &byte, 1);
}

void oracle_sent(const char *answer, size_t size) {
    for (size_t i = 0; i < size && !traffic.restarts; i++) {
        if (!IS_MARK(answer[i])) {
            traffic.sent = crc32(traffic.sent, (const uint8_t *)answer + i, 1);
        }
    }
}

static void check(oracle_answer *answer) {
    say(answer, "m-check-[%08" PRIx32 ",%08" PRIx32 ",%08d]\r\n", traffic.received, traffic.sent, NO_BUILD);
    traffic.restarts = true;
}

static void answer_words(const char *const word[WORDS], uint64_t ticks, oracle_answer *answer) {
    answer->known = true;
    if (strcmp(word[0], "name") == 0) {
        say(answer, "m-name-dut-[edgekws-fuzz]\r\n");
    } else if (strcmp(word[0], "profile") == 0) {
        say(answer, "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]\r\n");
    } else if (strcmp(word[0], "timestamp") == 0) {
        stamp(ticks, answer);
    } else if (strcmp(word[0], "help") == 0) {
        answer->free_text = true;
        say(answer, "m-build-[%032d]\r\n", NO_BUILD);
    } else if (strcmp(word[0], "db") == 0) {
        answer_db(word, answer);
    } else if (strcmp(word[0], "infer") == 0) {
        infer(word, ticks, answer);
    } else if (strcmp(word[0], "results") == 0) {
        results(answer);
    } else if (strcmp(word[0], "raw") == 0) {
        raw(answer);
    } else if (strcmp(word[0], "check") == 0) {
        check(answer);
    } else if (strcmp(word[0], "image") == 0) {
        say(answer, "m-image-crc32-[%08" PRIx32 "]\r\n", IMAGE_CRC32);
    } else if (strcmp(word[0], "layers") == 0 && !EKW_ENERGY_MODE) {
        layers(word, answer);
    } else if (strcmp(word[0], "memory") == 0) {
        say(answer, "m-memory-stack-[%d,%d]\r\n", STACK_USED, STACK_SIZE);
    } else {
        answer->known = false;
        if (word[0][0] != '\0') {
            refuse(answer, "e-[Unknown command: %s]", word[0]);
        }
    }
}

void oracle_answer_to(const uint8_t *command, size_t size, uint64_t ticks, oracle_answer *answer) {
    words command_words;
    answer->used = 0;
    answer->known = answer->refused = answer->inferred = answer->endless = answer->free_text = false;
    if (split(command, size, &command_words)) {
        answer_words(command_words.word, ticks, answer);
    } else {
        refuse(answer, "e-[Command too long]");
    }
    say(answer, "m-ready\r\n");
}
