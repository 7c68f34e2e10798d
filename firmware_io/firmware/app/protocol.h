/* The MLPerf Tiny serial protocol, device side: commands end with '%', answers with "m-ready". */
#ifndef EKW_PROTOCOL_H
#define EKW_PROTOCOL_H

void ekw_protocol_boot(void);

/* One byte from the host; answers when it completes a command. */
void ekw_protocol_feed(char c);

#endif
