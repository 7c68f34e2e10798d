/* The commands of the firmware that classifies clips. */
#include "app/commands.h"

#include "app/check.h"
#include "app/inference.h"
#include "app/input.h"
#include "app/layers.h"
#include "app/shared.h"
#include "app/text.h"
#include "model_id.h"

static void answer_profile(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    ekw_put_line("m-model-[" EKW_MODEL_ID "]");
}

static void answer_db(const char *first, const char *second) {
    if (ekw_input_command(first, second)) {
        ekw_inference_forget();
    }
}

static void answer_results(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_inference_print_results();
}

static void answer_raw(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_inference_print_raw();
}

const ekw_command ekw_commands[] = {
    {"help", "this list", ekw_answer_help},
    {"name", "vendor and board", ekw_answer_name},
    {"profile", "benchmark profile and model", answer_profile},
    {"timestamp", EKW_STAMP_HELP, ekw_answer_timestamp},
    {"db", "load N: expect N bytes; HH..: bytes; print: show them", answer_db},
    {"infer", "N W: N timed inferences (1) after W untimed ones (10)", ekw_inference_command},
    {"results", "probabilities of the last inference", answer_results},
#define FIRST_EXTENSION 7 /* this one */
    {"check", "CRC-32 of what was received and sent since, build", ekw_check_command},
    {"image", "CRC-32 of the flash", ekw_answer_image},
    {"raw", "int8 scores of the last inference, CRC-32 of input", answer_raw},
#if !EKW_ENERGY_MODE /* no clock runs */
    {"layers", "N (1): clock ticks of each layer", ekw_layers_command},
#endif
    {"memory", "bytes of stack used at most, and its size", ekw_answer_memory},
};
const int32_t ekw_command_count = sizeof ekw_commands / sizeof ekw_commands[0];
const int32_t ekw_first_extension = FIRST_EXTENSION;
