/* The scores of the wake word in the last stream. */
#ifndef EKW_ACTIVATIONS_H
#define EKW_ACTIVATIONS_H

void ekw_activations_print(void);

#endif
