#include "app/protocol.h"

#include <stdbool.h>
#include <stddef.h>

#include "app/check.h"
#include "app/commands.h"
#include "app/shared.h"
#include "app/text.h"

#ifdef EKW_COMMAND_CHARACTERS
#define COMMAND_CHARACTERS EKW_COMMAND_CHARACTERS
#else
#define COMMAND_CHARACTERS 80 /* as in the reference firmware */
#endif
#define WORDS_MAX 3

#if EKW_ENERGY_MODE
#define MODE "energy"
#else
#define MODE "performance"
#endif

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
    for (int32_t i = 0; i < ekw_command_count; i++) {
        if (ekw_same(words[0], ekw_commands[i].name)) {
            ekw_commands[i].answer(words[1], words[2]);
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
#ifdef EKW_ECHO
    ekw_put("Received command: ");
    ekw_put_line(line.text);
#endif
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
        ekw_stamp();
    }
    ekw_put_line("m-init-done");
    ekw_put_line("m-ready");
}
