/* The commands of the firmware of the streaming wake word: those of the benchmark, then those of a firmware that listens.
 * Left out are i2scap, log, state, infer_wav, run_model and extract, and of db getptr and print_i16: they need a
 * recording or inputs of the benchmark, or their exact answers are not verified. */
#include "app/check.h"
#include "app/commands.h"
#include "app/input.h"
#include "app/shared.h"
#include "app/text.h"
#include "listen/cost.h"
#include "listen/listen.h"
#include "listen/microphone.h"
#include "listen/settings.h"
#include "model_id.h"
#include "sww01/sww01.h"

static void answer_profile(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    ekw_put_line("m-model-[" EKW_MODEL_ID "]");
}

static void answer_db(const char *first, const char *second) {
    (void)ekw_input_command(first, second);
}

const ekw_command ekw_commands[] = {
    {"help", "this list", ekw_answer_help},
    {"name", "vendor and board", ekw_answer_name},
    {"profile", "benchmark profile and model", answer_profile},
    {"timestamp", EKW_STAMP_HELP, ekw_answer_timestamp},
    {"db", "load N: expect N bytes; HH..: bytes; print: show them; setptr N: go back", answer_db},
    {"start", "detect wake words; frames of samples follow", ekw_start_command},
    {"stop", "end, scores of the wake word since start", ekw_stop_command},
    {"extract_uart_stream", "features and scores of the 512 samples loaded", ekw_extract_command},
    {"proc_hi", "PROCESSING rises", ekw_answer_processing_high},
    {"proc_lo", "PROCESSING falls", ekw_answer_processing_low},
#define FIRST_EXTENSION 10 /* this one */
    {"check", "CRC-32 of what was received and sent since, build", ekw_check_command},
    {"image", "CRC-32 of the flash", ekw_answer_image},
    {"memory", "bytes of stack used at most, and its size", ekw_answer_memory},
    {"stream", "front end, graph, Hz, hop, rows a step, frame, frames in flight", ekw_answer_stream},
    {"listen", "FRONTEND: frames of samples follow, an end frame is the last", ekw_listen_command},
    {"microphone", "events of the board's own sound; off: and its sums", ekw_microphone_command},
    {"settings", "smoothing, refractory steps, thresholds", ekw_answer_settings},
    {"threshold", "K P: keyword K at P thousandths, 1001 is never", ekw_threshold_command},
    {"smoothing", "N: mean of N steps", ekw_smoothing_command},
    {"refractory", "N: steps between two events", ekw_refractory_command},
    {"histogram", "posteriors by keyword; reset: and forget them", ekw_histogram_command},
#if !EKW_ENERGY_MODE /* no clock runs */
    {"cost", "laps and clock ticks of each stage; reset: and forget them", ekw_cost_command},
#endif
};
const int32_t ekw_command_count = sizeof ekw_commands / sizeof ekw_commands[0];
const int32_t ekw_first_extension = FIRST_EXTENSION;
