#include "listen/settings.h"

#include "app/text.h"
#include "stream/ekw.h"

static void put_field(const char *before, uint32_t value) {
    ekw_put(before);
    ekw_put_unsigned(value);
}

/* Also the answer to each change: what is in RAM now. */
static void print_settings(void) {
    put_field("m-detector-[", ekw_listener.smoothing_steps);
    put_field(",", ekw_listener.refractory_steps);
    ekw_put_line("]");
    for (uint32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        put_field("m-threshold-[", k);
        ekw_put(",");
        ekw_put(ekw_keywords[k]);
        put_field(",", ekw_listener.thresholds[k]);
        ekw_put_line("]");
    }
}

void ekw_answer_settings(const char *first, const char *second) {
    (void)first, (void)second;
    print_settings();
}

/* False, with an error, unless `text` is a number from `lowest` to `highest`. */
static bool parse(const char *what, const char *text, int32_t lowest, int32_t highest, uint16_t *value) {
    const int32_t given = ekw_parse_argument(text, lowest - 1, lowest - 1);
    if (given >= lowest && given <= highest) {
        *value = (uint16_t)given;
        return true;
    }
    ekw_put("e-[");
    ekw_put(what);
    ekw_put(" must be ");
    ekw_put_signed(lowest);
    ekw_put(" to ");
    ekw_put_signed(highest);
    ekw_put_line("]");
    return false;
}

void ekw_threshold_command(const char *keyword, const char *permille) {
    uint16_t k, value;
    if (parse("The number of the keyword", keyword, 0, EKW_DETECTOR_KEYWORDS - 1, &k) &&
        parse("A threshold", permille, 1, EKW_DETECTOR_NEVER, &value)) {
        ekw_listener.thresholds[k] = value;
        print_settings();
    }
}

void ekw_smoothing_command(const char *steps, const char *unused) {
    uint16_t value;
    (void)unused;
    if (parse("The smoothing", steps, 1, EKW_DETECTOR_MOST_STEPS, &value)) {
        ekw_detector_smooth(&ekw_listener, value);
        print_settings();
    }
}

void ekw_refractory_command(const char *steps, const char *unused) {
    uint16_t value;
    (void)unused;
    if (parse("The refractory time", steps, 0, UINT16_MAX, &value)) {
        ekw_listener.refractory_steps = value;
        print_settings();
    }
}

static void clear_histogram(void) {
    for (int32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        for (int32_t b = 0; b < EKW_DETECTOR_BINS; b++) {
            ekw_listener.histogram[k][b] = 0;
        }
    }
}

void ekw_histogram_command(const char *argument, const char *unused) {
    (void)unused;
    if (ekw_same(argument, "reset")) {
        clear_histogram();
    }
    for (uint32_t k = 0; k < EKW_DETECTOR_KEYWORDS; k++) {
        put_field("m-histogram-[", k);
        for (int32_t b = 0; b < EKW_DETECTOR_BINS; b++) {
            put_field(",", ekw_listener.histogram[k][b]);
        }
        ekw_put_line("]");
    }
}
