#include "app/protocol.h"
#include "port/port.h"

int main(void) {
    ekw_port_init();
    ekw_protocol_boot();
    for (;;) {
        ekw_protocol_feed((char)ekw_port_getc());
    }
}
