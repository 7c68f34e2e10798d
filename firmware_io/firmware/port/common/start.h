#ifndef EKW_START_H
#define EKW_START_H

/* Paints the stack, fills .data and .bss, runs main. The core is ready: stack guarded, coprocessors on. */
__attribute__((noreturn)) void ekw_start(void);

#endif
