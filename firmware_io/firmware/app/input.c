#include "app/input.h"

#include "app/text.h"

#define PRINT_BYTES_PER_LINE 8

static uint8_t tensor[EKW_INPUT_BYTES];
static int32_t expected; /* size of the last accepted `db load`; 0: none */
static int32_t loaded;

int32_t ekw_input_loaded(void) {
    return loaded;
}

const int8_t *ekw_input_tensor(void) {
    return (const int8_t *)tensor;
}

static void refuse_size(int32_t size) {
    ekw_put("Supplied buffer size ");
    ekw_put_signed(size);
    ekw_put(" exceeds maximum of ");
    ekw_put_signed(EKW_INPUT_BYTES);
    ekw_put_line("");
}

static void clear(void) {
    expected = loaded = 0;
    for (int32_t i = 0; i < EKW_INPUT_BYTES; i++) {
        tensor[i] = 0;
    }
}

static void expect(int32_t size) {
    expected = size;
    ekw_put("m-[Expecting ");
    ekw_put_signed(size);
    ekw_put_line(" bytes]");
}

/* True: the tensor was cleared. An oversize load clears it too, and expects nothing. */
static bool start_load(const char *argument) {
    const int32_t size = ekw_parse_argument(argument, 0, 0);
    if (argument[0] == '\0') {
        ekw_put_line("e-[Command 'db load' requires the # of bytes]");
        return false;
    }
    if (size <= 0) {
        ekw_put_line("e-[Command 'db load' must be >0 bytes]");
        return false;
    }
    clear();
    if (size > EKW_INPUT_BYTES) {
        refuse_size(size);
    } else {
        expect(size);
    }
    return true;
}

/* True when `digits` are complete bytes; digits after the first `bytes` bytes are not checked. Prints the error
 * otherwise. */
static bool check_digits(const char *digits, int32_t bytes) {
    int32_t count = 0;
    while (digits[count] != '\0') {
        count++;
    }
    if (count % 2 != 0) {
        ekw_put_line("e-[Insufficent number of hex digits]");
        return false;
    }
    for (int32_t i = 0; i < count && i < 2 * bytes; i += 2) {
        if (ekw_hex_digit(digits[i]) < 0 || ekw_hex_digit(digits[i + 1]) < 0) {
            const char pair[3] = {digits[i], digits[i + 1], '\0'};
            ekw_put("e-[Invalid hex digit '");
            ekw_put(pair);
            ekw_put_line("']");
            return false;
        }
    }
    return true;
}

static void take(const char *digits) {
    if (expected == 0) {
        ekw_put_line("e-[Command 'db' needs a 'db load' before]");
        return;
    }
    if (!check_digits(digits, expected - loaded)) {
        return;
    }
    for (; *digits != '\0' && loaded < expected; digits += 2) {
        tensor[loaded++] = (uint8_t)(ekw_hex_digit(digits[0]) * 16 + ekw_hex_digit(digits[1]));
        if (loaded == expected) {
            ekw_put_line("m-load-done");
        }
    }
}

static void print(void) {
    for (int32_t i = 0; i < expected; i++) {
        const bool line_ends = (i + 1) % PRINT_BYTES_PER_LINE == 0 || i + 1 == expected;
        ekw_put(i % PRINT_BYTES_PER_LINE == 0 ? "m-buffer-" : "-");
        ekw_put_hex(tensor[i], 2);
        ekw_put(line_ends ? "\r\n" : "");
    }
}

#ifdef EKW_SWW01
/* A host that lost an answer goes back to the bytes that it knows to be there. */
static void set_position(const char *argument) {
    const int32_t position = ekw_parse_argument(argument, -1, -1);
    if (position >= 0 && position <= loaded) {
        loaded = position;
        return;
    }
    ekw_put("e-[Command 'db setptr' requires 0 to ");
    ekw_put_signed(loaded);
    ekw_put_line("]");
}
#endif

bool ekw_input_command(const char *first, const char *second) {
    if (first[0] == '\0') {
        ekw_put_line("e-[Command 'db' requires a subcommand]");
    } else if (ekw_same(first, "load")) {
        return start_load(second);
    } else if (ekw_same(first, "print")) {
        print();
#ifdef EKW_SWW01
    } else if (ekw_same(first, "setptr")) {
        set_position(second);
#endif
    } else {
        take(first);
    }
    return false;
}
