/* Peak use of the stack. */
#ifndef EKW_MEMORY_H
#define EKW_MEMORY_H

void ekw_memory_print(void);

#endif
