/* The microphone as the source of the stream; commands are answered meanwhile. */
#ifndef EKW_MICROPHONE_H
#define EKW_MICROPHONE_H

#include <stdbool.h>

/* Argument `off`: stop. */
void ekw_microphone_command(const char *argument, const char *unused);

bool ekw_microphone_is_on(void);

/* Sleeps until there is sound or a byte of the host; hears the sound. */
void ekw_microphone_work(void);

#endif
