/* Which implementation of the inner loops this compilation takes; -DEKW_CORE=... overrides it.
 * Mirror of CORES in edgekws/emit/_c_scratch.py. */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#define EKW_PORTABLE 0 /* C11 */

#ifndef EKW_CORE
#define EKW_CORE EKW_PORTABLE
#endif

#endif
