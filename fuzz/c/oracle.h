/* An independent implementation of the protocol, without code of app/: what the firmware has to answer. */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPECTED_BYTES 8192

typedef struct {
    char text[EXPECTED_BYTES];
    size_t used;
    bool known;     /* the command is one of the protocol */
    bool refused;   /* the answer is an error message */
    bool inferred;  /* the model ran */
    bool endless;   /* more runs than the harness waits for: no answer to compare */
    bool free_text; /* help: only its form and its end, which is in text, are prescribed */
} oracle_answer;

#define ORACLE_LONGEST_COMMAND 80

/* Every byte on the line, in both directions, for `check`. Marks (line.h) are not bytes on the line. */
void oracle_received(uint8_t byte);
void oracle_sent(const char *answer, size_t size);

/* `command`: the `size` bytes before a '%'. The state of the device is kept from command to command. */
void oracle_answer_to(const uint8_t *command, size_t size, uint64_t ticks, oracle_answer *answer);

#endif
