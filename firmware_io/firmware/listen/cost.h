/* Clock ticks of the stages of a stream: front end, network, detector. */
#ifndef EKW_COST_H
#define EKW_COST_H

void ekw_cost_command(const char *argument, const char *unused);

#endif
