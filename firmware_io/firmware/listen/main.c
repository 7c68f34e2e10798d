#include "app/protocol.h"
#include "listen/listen.h"
#include "listen/microphone.h"
#include "port/port.h"
#include "stream/ekw.h"

/* Outside of a stream a 0 is the end of a frame that came too late; hosts send one first. */
static void take(uint8_t byte) {
    if (ekw_listen_is_on()) {
        ekw_listen_feed(byte);
    } else if (byte != 0) {
        ekw_protocol_feed((char)byte);
    }
}

int main(void) {
    ekw_port_init();
    ekw_begin();
    ekw_protocol_boot();
    for (;;) {
        if (ekw_microphone_is_on()) {
            ekw_microphone_work();
        }
        if (!ekw_microphone_is_on() || ekw_port_byte_waits()) {
            take((uint8_t)ekw_port_getc());
        }
    }
}
