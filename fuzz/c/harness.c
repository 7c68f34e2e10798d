#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/protocol.h"
#include "line.h"
#include "oracle.h"

#define COMMAND_BYTES 4096 /* bytes of a command that are kept: far more than the firmware accepts */

fuzz_counts fuzz_counted;
static uint8_t command[COMMAND_BYTES];
static size_t used;

static void show(const char *what, const void *bytes, size_t count) {
    fprintf(stderr, "%s (%zu bytes): ", what, count);
    for (size_t i = 0; i < count; i++) {
        const int c = ((const unsigned char *)bytes)[i];
        fprintf(stderr, c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
    }
    fputc('\n', stderr);
}

static void stop(const char *finding, const oracle_answer *expected) {
    fprintf(stderr, "FINDING at command %llu: %s\n", (unsigned long long)fuzz_counted.commands, finding);
    show("command", command, used);
    show("expected", expected->text, expected->used);
    show("answered", line.answer, line.used);
    abort();
}

/* The answer has to be lines of printable ASCII that end with CR LF; only the last one is m-ready. */
static const char *fault_of_form(const char *text, size_t size) {
    static const char ready[] = "m-ready\r\n";
    const size_t last = size - (sizeof ready - 1);
    if (size < sizeof ready - 1 || memcmp(text + last, ready, sizeof ready - 1) != 0) {
        return "no m-ready at the end";
    }
    for (size_t i = 0; i < size; i++) {
        const bool ends = text[i] == '\r' && i + 1 < size && text[i + 1] == '\n';
        if (!ends && !IS_MARK(text[i]) && (text[i] < ' ' || text[i] > '~')) {
            return "a character that is not printable ASCII";
        }
        i += ends ? 1 : 0;
        if (ends && i + 1 < last && strncmp(text + i + 1, ready, sizeof ready - 1) == 0) {
            return "m-ready twice";
        }
    }
    return NULL;
}

static void check(const oracle_answer *expected) {
    const char *fault = fault_of_form(line.answer, line.used);
    if (fault != NULL) {
        stop(fault, expected);
    }
    const bool fits = expected->free_text ? line.used >= expected->used : line.used == expected->used;
    if (!fits || memcmp(line.answer + line.used - expected->used, expected->text, expected->used) != 0) {
        stop("the answer differs from the oracle's", expected);
    }
}

static void check_buffer(const oracle_answer *expected) {
    const size_t characters = fuzz_written_buffer() - 1;
    if (characters > ORACLE_LONGEST_COMMAND) {
        stop("more characters in the command buffer than a command may have", expected);
    }
    fuzz_counted.longest = characters > fuzz_counted.longest ? characters : fuzz_counted.longest;
}

static void count(const oracle_answer *expected) {
    fuzz_counted.commands++;
    fuzz_counted.known += expected->known;
    fuzz_counted.refused += expected->refused;
    fuzz_counted.inferences += expected->inferred;
    fuzz_counted.cut += expected->endless;
}

static void end_command(void) {
    static oracle_answer expected;
    oracle_answer_to(command, used, line.ticks, &expected);
    if (setjmp(line.give_up) == 0) {
        ekw_protocol_feed('%');
        if (expected.endless) {
            stop("fewer inferences than requested", &expected);
        }
        check(&expected);
    } else if (!expected.endless) {
        stop("more inferences than requested", &expected);
    }
    oracle_sent(line.answer, line.used);
    check_buffer(&expected);
    fuzz_paint_buffer();
    count(&expected);
    line.ticks += (fuzz_counted.commands * 2654435761u) >> (fuzz_counted.commands % 64);
    line.ticks &= UINT64_MAX >> 12; /* 5 years at 25 MHz */
    line.used = used = 0;
    line.runs = 0;
}

void fuzz_feed(uint8_t byte) {
    static oracle_answer none;
    if (fuzz_counted.bytes++ == 0) {
        fuzz_paint_buffer();
    }
    oracle_received(byte);
    if (byte == '%') {
        end_command();
        return;
    }
    if (used < COMMAND_BYTES) {
        command[used++] = byte;
    }
    ekw_protocol_feed((char)byte);
    if (line.used != 0) {
        stop("an answer before the command ended", &none);
    }
}
