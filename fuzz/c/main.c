/* fuzz INPUTS SEED: runs INPUTS commands; prints the counts 100 times on the way, and at the end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "generator.h"
#include "harness.h"

#define REPORTS 100

static void report(uint64_t digest) {
    printf("%" PRIu64 " inputs: %" PRIu64 " known, %" PRIu64 " refused, %" PRIu64 " inferred, %" PRIu64
           " cut off, %" PRIu64 " bytes, at most %zu characters in the command buffer, digest %016" PRIx64 "\n",
           fuzz_counted.commands, fuzz_counted.known, fuzz_counted.refused, fuzz_counted.inferences, fuzz_counted.cut,
           fuzz_counted.bytes, fuzz_counted.longest, digest);
    fflush(stdout);
}

/* FNV-1a: the same seed gives the same inputs on every machine, and this shows it. */
static uint64_t mixed(uint64_t digest, uint8_t byte) {
    return (digest ^ byte) * 0x100000001B3u;
}

int main(int count, char **words) {
    static uint8_t command[GENERATED_BYTES];
    uint64_t digest = 0xCBF29CE484222325u;
    if (count != 3) {
        return 2;
    }
    const uint64_t inputs = strtoull(words[1], NULL, 10), step = inputs / REPORTS + 1;
    generator random = {strtoull(words[2], NULL, 10)};
    for (uint64_t done = 1; done <= inputs; done++) {
        const size_t size = generate(&random, command);
        for (size_t i = 0; i < size; i++) {
            digest = mixed(digest, command[i]);
            fuzz_feed(command[i]);
        }
        fuzz_feed('%');
        if (done % step == 0 && done != inputs) {
            report(digest);
        }
    }
    report(digest);
    return 0;
}
