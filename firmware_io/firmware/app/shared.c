#include "app/shared.h"

#include "app/build_id.h"
#include "app/commands.h"
#include "app/image.h"
#include "app/memory.h"
#include "app/text.h"
#include "model_id.h"
#include "port/port.h"

#define TICKS_PER_US (EKW_TIMER_HZ / 1000000u)
_Static_assert(TICKS_PER_US * 1000000u == EKW_TIMER_HZ && TICKS_PER_US >= 1 && TICKS_PER_US < 65536,
               "clocks of whole ticks in a microsecond can be divided by ekw_divide");

void ekw_put_microseconds(uint64_t ticks) {
    uint32_t rest;
    ekw_put("m-lap-us-");
    ekw_put_unsigned(ekw_divide(ticks, TICKS_PER_US, &rest));
    ekw_put_line("");
}

void ekw_stamp(void) {
    if (EKW_ENERGY_MODE) {
        ekw_port_edge();
    } else {
        ekw_put_microseconds(ekw_port_ticks());
    }
}

void ekw_answer_name(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("m-name-dut-[edgekws-" EKW_BOARD_NAME "]");
}

void ekw_answer_timestamp(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_stamp();
}

void ekw_answer_memory(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_memory_print();
}

void ekw_answer_image(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_image_print();
}

void ekw_answer_help(const char *first, const char *second) {
    (void)first, (void)second;
    ekw_put_line("ULPMark for tinyML Firmware V0.0.1");
    ekw_put_line("");
    for (int32_t i = 0; i < ekw_command_count; i++) {
        ekw_put(ekw_commands[i].name);
        ekw_put(i < ekw_first_extension ? " : " : " : edgekws extension: ");
        ekw_put_line(ekw_commands[i].help);
    }
#ifdef EKW_MODEL_NOTE
    ekw_put_line(EKW_MODEL_NOTE);
#endif
    ekw_put("m-build-[");
    ekw_put_build_id(EKW_BUILD_ID_BYTES);
    ekw_put_line("]");
}
