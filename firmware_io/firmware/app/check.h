/* Proof of the serial line: CRC-32 of every byte that came and of every byte that went since the last proof.
 * The answer to `check` is counted by neither; the first byte after it begins a new count, and so does the boot,
 * whose banner is counted. */
#ifndef EKW_CHECK_H
#define EKW_CHECK_H

/* Each byte from the host, before it is looked at. */
void ekw_check_received(char c);

/* Each byte to the host. */
void ekw_check_sent(char c);

void ekw_check_command(const char *first, const char *second);

#endif
