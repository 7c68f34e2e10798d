#include "generator.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct {
    uint8_t *bytes;
    size_t used;
} buffer;

/* splitmix64 */
static uint64_t next(generator *random) {
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t below(generator *random, size_t limit) {
    return (size_t)(next(random) % limit);
}

static void put(buffer *to, int byte) {
    if (to->used < GENERATED_BYTES) {
        to->bytes[to->used++] = (uint8_t)(byte == '%' ? '$' : byte);
    }
}

static void put_text(buffer *to, const char *text) {
    while (*text != '\0') {
        put(to, *text++);
    }
}

static void put_hex(generator *random, buffer *to, size_t digits) {
    for (size_t i = 0; i < digits; i++) {
        put(to, "0123456789abcdefABCDEF"[below(random, 22)]);
    }
}

static void put_number(generator *random, buffer *to) {
    static const char *const limits[] = {
        "0",           "-0",          "1",           "-1",          "2147483647",
        "2147483648",  "-2147483647", "-2147483648", "-2147483649", "4294967295",
        "4294967296",  "4294967297",  "65535",       "65536",       "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "18446744073709551616", "99999999999999999999",
        "-99999999999999999999", "0000000000000000000000020", "+1", "0x14", "1e3", "--1", "-", "1.0", " ", "1-", "2,",
    };
    char text[24];
    const int size = EKW_MODEL_INPUT_BYTES;
    if (below(random, 2) == 0) {
        put_text(to, limits[below(random, COUNT(limits))]);
        return;
    }
    const int near[] = {size, size - 1, size + 1, 8, 9, (int)below(random, 64), (int)below(random, 100000)};
    (void)snprintf(text, sizeof text, "%d", near[below(random, COUNT(near))]);
    put_text(to, text);
}

static void put_db(generator *random, buffer *to) {
    static const size_t longest[] = {76, 77, 78, 79, 700}; /* with "db ", around the limit of 80 characters */
    const size_t kind = below(random, 32);
    put_text(to, "db ");
    if (kind < 24) {
        put_hex(random, to, 2 * (1 + below(random, EKW_MODEL_INPUT_BYTES)));
    } else if (kind < 26) {
        put_text(to, "print");
    } else if (kind < 28) {
        put_hex(random, to, longest[below(random, COUNT(longest))]);
    } else {
        put_hex(random, to, 1 + below(random, 60));
    }
}

static void put_load(generator *random, buffer *to) {
    char text[32];
    if (below(random, 4) != 0) {
        (void)snprintf(text, sizeof text, "db load %d", EKW_MODEL_INPUT_BYTES);
        put_text(to, text);
        return;
    }
    put_text(to, "db load ");
    put_number(random, to);
}

static void put_infer(generator *random, buffer *to) {
    static const char *const starts[] = {"infer 1 0", "infer", "layers"};
    put_text(to, starts[below(random, COUNT(starts))]);
    for (size_t i = below(random, 3); i > 0; i--) {
        put(to, ' ');
        put_number(random, to);
    }
}

static void put_words(generator *random, buffer *to) {
    static const char *const vocabulary[] = {"db",     "load",  "print", "infer",   "results", "raw",
                                             "name",   "help",  "timestamp", "profile", "m-ready", "e-[x]",
                                             "layers", "memory", "check", "image"};
    for (size_t i = below(random, 5); i > 0; i--) {
        put_text(to, vocabulary[below(random, COUNT(vocabulary))]);
        put(to, ' ');
        if (below(random, 3) == 0) {
            put_number(random, to);
        }
    }
}

static void put_noise(generator *random, buffer *to) {
    static const size_t sizes[] = {4, 40, 79, 80, 81, 1024};
    const bool text = below(random, 2) == 0;
    const size_t limit = sizes[below(random, COUNT(sizes))];
    const size_t size = limit > 75 && below(random, 2) == 0 ? limit : below(random, limit);
    for (size_t i = 0; i < size; i++) {
        put(to, text ? ' ' + (int)below(random, 95) : (int)below(random, 256));
    }
}

static void put_plain(generator *random, buffer *to) {
    static const char *const plain[] = {"name",    "profile", "timestamp", "help",  "results",
                                        "raw",     "memory",  "check",     "check", "image", "", " "};
    put_text(to, plain[below(random, COUNT(plain))]);
}

static void put_command(generator *random, buffer *to) {
    static void (*const makers[])(generator *, buffer *) = {
        put_db, put_db, put_db, put_load, put_infer, put_infer, put_words, put_noise, put_plain,
    };
    makers[below(random, COUNT(makers))](random, to);
}

/* Inserts a byte at `at`, whose value is set by the caller, or removes one. */
static void shift(buffer *command, size_t at, bool insert) {
    uint8_t *here = command->bytes + at;
    const size_t rest = command->used - at;
    if (insert && command->used < GENERATED_BYTES) {
        memmove(here + 1, here, rest);
        command->used++;
    } else if (!insert && rest > 0) {
        memmove(here, here + 1, rest - 1);
        command->used--;
    }
}

static void damage(generator *random, buffer *command) {
    static const char odd[] = {'\0', '\r', '\n', ' ', '\t', '\x7f', '\x80', '\xff', '-', ']', '\'', 'g'};
    const size_t at = command->used == 0 ? 0 : below(random, command->used);
    const size_t kind = below(random, 5);
    if (kind == 0) {
        shift(command, at, false);
        return;
    }
    if (kind == 1 || command->used == 0) {
        shift(command, at, true);
    }
    uint8_t value = (uint8_t)odd[below(random, sizeof odd)];
    if (kind == 2) {
        value = (uint8_t)(command->bytes[at] ^ (1u << below(random, 8)));
    } else if (kind == 3) {
        value = (uint8_t)below(random, 256);
    }
    command->bytes[at] = value == '%' ? '$' : value;
}

size_t generate(generator *random, uint8_t bytes[GENERATED_BYTES]) {
    buffer command = {bytes, 0};
    put_command(random, &command);
    if (below(random, 4) == 0) {
        for (size_t i = 1 + below(random, 3); i > 0; i--) {
            damage(random, &command);
        }
    }
    return command.used;
}
