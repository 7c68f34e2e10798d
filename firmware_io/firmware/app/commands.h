/* The commands of a firmware: this one has two, each with a table of its own (app/clip_commands.c, listen/listen_commands.c). */
#ifndef EKW_COMMANDS_H
#define EKW_COMMANDS_H

#include <stdint.h>

typedef struct {
    const char *name;
    const char *help;
    void (*answer)(const char *first, const char *second); /* arguments; empty when absent */
} ekw_command;

extern const ekw_command ekw_commands[];
extern const int32_t ekw_command_count;
extern const int32_t ekw_first_extension; /* number of the first command that the reference firmware does not have */

#endif
