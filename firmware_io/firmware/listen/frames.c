#include "listen/frames.h"

#include "app/crc32.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "samples are taken from the line as they are");
_Static_assert(EKW_FRAME_HEAD % 2 == 0, "samples are aligned");

static union {
    uint8_t bytes[EKW_FRAME_BYTES];
    int16_t words[EKW_FRAME_BYTES / 2];
} decoded;
static int32_t used;      /* bytes decoded */
static uint32_t run;      /* encoded bytes until the next code */
static bool zero_follows; /* a decoded 0 stands before the next code */
static bool bad;          /* too long */
static char text[EKW_FRAME_COMMAND + 2];
static int32_t letters; /* in `text`; -1: this is no command */

void ekw_frame_reset(void) {
    used = 0;
    run = 0;
    zero_follows = bad = false;
    letters = 0;
}

const char *ekw_frame_command(void) {
    return text;
}

static void keep(uint8_t byte) {
    if (used < EKW_FRAME_BYTES) {
        decoded.bytes[used++] = byte;
    } else {
        bad = true;
    }
}

static void decode(uint8_t byte) {
    if (run > 0) {
        keep(byte);
        run--;
        return;
    }
    if (zero_follows) {
        keep(0);
    }
    run = byte - 1u;
    zero_follows = byte != 0xFFu;
}

/* True: the byte completes a command. */
static bool is_command(uint8_t byte) {
    if (letters < 0 || byte < ' ' || byte > '~' || (letters == EKW_FRAME_COMMAND && byte != '%')) {
        letters = -1;
        return false;
    }
    text[letters++] = (char)byte;
    text[letters] = '\0';
    return byte == '%' && letters > 1; /* frames begin with 2: the byte after their kind is 0 */
}

static uint32_t little_endian(const uint8_t *bytes, int32_t count) {
    uint32_t value = 0;
    for (int32_t i = count - 1; i >= 0; i--) {
        value = (value << 8) | bytes[i];
    }
    return value;
}

static bool is_whole(ekw_frame *frame) {
    const int32_t body = used - EKW_FRAME_CRC, samples = body - EKW_FRAME_HEAD;
    if (bad || run > 0 || samples < 0 || samples % 2 != 0 || decoded.bytes[1] != 0) {
        return false;
    }
    if (ekw_crc32(0, decoded.bytes, body) != little_endian(decoded.bytes + body, EKW_FRAME_CRC)) {
        return false;
    }
    frame->kind = decoded.bytes[0];
    frame->sequence = little_endian(decoded.bytes + 2, 2);
    frame->samples = decoded.words + EKW_FRAME_HEAD / 2;
    frame->count = samples / 2;
    return frame->kind == EKW_FRAME_AUDIO ? samples > 0 : frame->kind == EKW_FRAME_END && samples == 0;
}

ekw_frame_state ekw_frame_feed(uint8_t byte, ekw_frame *frame) {
    if (byte == 0) {
        const bool is_empty = used == 0 && run == 0 && !bad && !zero_follows; /* two ends in a row */
        const bool whole = is_whole(frame);
        ekw_frame_reset();
        return is_empty ? EKW_FRAME_PART : whole ? EKW_FRAME_WHOLE : EKW_FRAME_DAMAGED;
    }
    if (is_command(byte)) {
        ekw_frame_reset();
        return EKW_FRAME_IS_COMMAND;
    }
    decode(byte);
    return EKW_FRAME_PART;
}
