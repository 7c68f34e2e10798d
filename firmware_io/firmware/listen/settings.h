/* The detector's settings, kept in RAM, and its histogram. */
#ifndef EKW_SETTINGS_H
#define EKW_SETTINGS_H

void ekw_answer_settings(const char *first, const char *second);
void ekw_threshold_command(const char *keyword, const char *permille);
void ekw_smoothing_command(const char *steps, const char *unused);
void ekw_refractory_command(const char *steps, const char *unused);
void ekw_histogram_command(const char *argument, const char *unused);

#endif
