/* Commands of MLPerf Tiny's streaming wake word (mlcommons/tiny, streaming_wakeword). Its sound comes over the serial line
 * in the frames of listen/frames.h, not over I2S. */
#ifndef EKW_SWW01_H
#define EKW_SWW01_H

void ekw_start_command(const char *first, const char *second);
void ekw_stop_command(const char *first, const char *second);
void ekw_extract_command(const char *first, const char *second);
void ekw_answer_processing_high(const char *first, const char *second);
void ekw_answer_processing_low(const char *first, const char *second);

#endif
