/* Verification of the serial line: CRC-32 of all bytes received and of all bytes sent since the last `check`.
 * Neither includes the answer to `check`; the first byte after it starts new checksums. After a boot they
 * include the banner. The answer ends with the first bytes of the build id. */
#ifndef EKW_CHECK_H
#define EKW_CHECK_H

/* Each byte from the host, before it is interpreted. */
void ekw_check_received(char c);

void ekw_check_command(const char *first, const char *second);

#endif
