/* The same harness for libFuzzer: one input is the bytes of one session. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void feed(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fuzz_feed(bytes[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const uint8_t forget[] = "%db load 2147483647%"; /* every conversation begins with the same device */
    feed(forget, sizeof forget - 1);
    feed(bytes, count);
    return 0;
}
