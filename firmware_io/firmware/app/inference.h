/* Runs the model and prints its results. */
#ifndef EKW_INFERENCE_H
#define EKW_INFERENCE_H

void ekw_inference_command(const char *iterations, const char *warmups);

void ekw_inference_print_results(void);
void ekw_inference_print_raw(void);

/* Invalidates the scores: they belong to an earlier input. */
void ekw_inference_forget(void);

#endif
