/* Generates valid, nearly valid and invalid commands from a seed. */
#ifndef FUZZ_GENERATOR_H
#define FUZZ_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#define GENERATED_BYTES 1024

typedef struct {
    uint64_t state;
} generator;

/* Writes one command without its '%' and returns its size; none of its bytes is a '%'. */
size_t generate(generator *random, uint8_t command[GENERATED_BYTES]);

#endif
