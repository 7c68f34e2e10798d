/* The input tensor and the command `db` that fills it. */
#ifndef EKW_INPUT_H
#define EKW_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

/* What `db` can hold: the input of the network, unless a firmware loads something else. */
#ifndef EKW_INPUT_BYTES
#define EKW_INPUT_BYTES EKW_MODEL_INPUT_BYTES
#endif

/* True: the earlier input was discarded, so scores that were computed from it are out of date. */
bool ekw_input_command(const char *first, const char *second);

/* Bytes loaded so far: EKW_INPUT_BYTES when the tensor is complete. */
int32_t ekw_input_loaded(void);

/* int8 [height][width][channels]; bytes that were not loaded are 0. */
const int8_t *ekw_input_tensor(void);

#endif
