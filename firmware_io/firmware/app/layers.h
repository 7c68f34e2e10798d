/* Time of each layer. */
#ifndef EKW_LAYERS_H
#define EKW_LAYERS_H

void ekw_layers_command(const char *iterations, const char *unused);

#endif
