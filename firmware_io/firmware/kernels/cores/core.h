/* Which implementation of the inner loops this compilation takes; -DEKW_CORE=... overrides it.
 * Mirror of CORES in edgekws/emit/_c_scratch.py. */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#define EKW_PORTABLE 0 /* C11 */
#define EKW_AVX2 3     /* computers: AVX2, AVX-512 */

#ifndef EKW_CORE
#ifdef __AVX2__
#define EKW_CORE EKW_AVX2
#else
#define EKW_CORE EKW_PORTABLE
#endif
#endif

#endif
