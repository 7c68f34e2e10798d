#include "app/protocol.h"

#include <stdbool.h>
#include <stddef.h>

#include "app/build_id.h"
#include "app/check.h"
#include "app/image.h"
#include "app/inference.h"
#include "app/input.h"
#include "app/layers.h"
#include "app/memory.h"
#include "app/text.h"
#include "model_id.h"
#include "port/port.h"

#define COMMAND_CHARACTERS 80 /* as in the reference firmware */
#define WORDS_MAX 3

#if EKW_ENERGY_MODE
#define MODE "energy"
#define STAMP "falling edge of the pin"
#else
#define MODE "performance"
#define STAMP "microseconds since boot"
#endif

typedef struct {
    const char *name;
    const char *help;
    void (*answer)(const char *first, const char *second); /* arguments; empty when absent */
} command;

static void answer_name(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("m-name-dut-[edgekws-" EKW_BOARD_NAME "]");
}

static void answer_profile(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    ekw_put_line("m-model-[" EKW_MODEL_ID "]");
}

static void answer_timestamp(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_inference_stamp();
}

static void answer_db(const char *first, const char *second) {
    if (ekw_input_command(first, second)) {
        ekw_inference_forget();
    }
}

static void answer_results(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_inference_print_results();
}

static void answer_raw(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_inference_print_raw();
}

static void answer_memory(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_memory_print();
}

static void answer_image(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_image_print();
}

static void answer_help(const char *first, const char *second);

static const command commands[] = {
    {"help", "this list", answer_help},
    {"name", "vendor and board", answer_name},
    {"profile", "benchmark profile and model", answer_profile},
    {"timestamp", STAMP, answer_timestamp},
    {"db", "load N: expect N bytes; HH..: bytes; print: show them", answer_db},
    {"infer", "N W: N timed inferences (1) after W untimed ones (10)", ekw_inference_command},
    {"results", "probabilities of the last inference", answer_results},
#define FIRST_EXTENSION 7 /* this one; the reference firmware has none of these */
    {"check", "CRC-32 of what was received and sent since, build", ekw_check_command},
    {"image", "CRC-32 of the flash", answer_image},
    {"raw", "int8 scores of the last inference, CRC-32 of input", answer_raw},
#if !EKW_ENERGY_MODE /* no clock runs */
    {"layers", "N (1): clock ticks of each layer", ekw_layers_command},
#endif
    {"memory", "bytes of stack used at most, and its size", answer_memory},
};

static void answer_help(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("ULPMark for tinyML Firmware V0.0.1");
    ekw_put_line("");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        ekw_put(commands[i].name);
        ekw_put(i < FIRST_EXTENSION ? " : " : " : edgekws extension: ");
        ekw_put_line(commands[i].help);
    }
#ifdef EKW_MODEL_NOTE
    ekw_put_line(EKW_MODEL_NOTE);
#endif
    ekw_put("m-build-[");
    ekw_put_build_id(EKW_BUILD_ID_BYTES);
    ekw_put_line("]");
}

/* Splits at spaces, in place. Absent words are empty. */
static void split(char *text, const char *words[WORDS_MAX]) {
    for (size_t i = 0; i < WORDS_MAX; i++) {
        while (*text == ' ') {
            text++;
        }
        words[i] = text;
        while (*text != '\0' && *text != ' ') {
            text++;
        }
        if (*text == ' ') {
            *text++ = '\0';
        }
    }
}

static void refuse_unknown(const char *word) {
    ekw_put("e-[Unknown command: ");
    ekw_put(word);
    ekw_put_line("]");
}

static void execute(char *text) {
    const char *words[WORDS_MAX];
    split(text, words);
    if (words[0][0] == '\0') {
        return; /* hosts send a lone '%' to flush */
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (ekw_same(words[0], commands[i].name)) {
            commands[i].answer(words[1], words[2]);
            return;
        }
    }
    refuse_unknown(words[0]);
}

/* Replaces unprintable characters: a NUL would hide what follows it, and answers that quote the host have to
 * stay printable. */
static char readable(char c) {
    return (char)(c >= ' ' && c <= '~' ? c : '?');
}

/* The command received so far. */
static struct {
    char text[COMMAND_CHARACTERS + 1];
    size_t used;
    bool too_long;
} line;

static void keep(char c) {
    line.too_long = line.too_long || line.used == COMMAND_CHARACTERS;
    if (!line.too_long) {
        line.text[line.used++] = readable(c);
    }
}

static void end_command(void) {
    line.text[line.used] = '\0';
    line.used = 0;
    if (line.too_long) {
        ekw_put_line("e-[Command too long]");
    } else {
        execute(line.text);
    }
    line.too_long = false;
    ekw_put_line("m-ready");
}

void ekw_protocol_feed(char c) {
    ekw_check_received(c);
    if (c == '%') {
        end_command();
    } else if (c != '\r' && c != '\n') { /* sent by terminal programs */
        keep(c);
    }
}

void ekw_protocol_boot(void) {
    ekw_put_line("m-timestamp-mode-" MODE);
    if (!EKW_ENERGY_MODE) { /* an edge without a command would confuse the meter */
        ekw_inference_stamp();
    }
    ekw_put_line("m-init-done");
    ekw_put_line("m-ready");
}
