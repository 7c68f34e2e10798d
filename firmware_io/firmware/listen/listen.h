/* A stream of samples over the serial line, and its events. */
#ifndef EKW_LISTEN_H
#define EKW_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

/* Frames that the host may send before it has read the answer to the first: one is worked on, the others wait in the
 * ring of the receive interrupt. */
#define EKW_FRAMES_IN_FLIGHT 2

void ekw_answer_stream(const char *first, const char *second);
void ekw_listen_command(const char *front_end, const char *unused);

/* Whether bytes of the host are frames. */
bool ekw_listen_is_on(void);
void ekw_listen_feed(uint8_t byte);

/* Samples of any source, at most EKW_HOP_SAMPLES: updates the sums and prints the events. */
void ekw_listen_samples(const int16_t *samples, int32_t count);

/* Begin a stream, whatever its source, and end it with a line of its sums. */
void ekw_listen_begin(void);
void ekw_listen_end(void);

#endif
