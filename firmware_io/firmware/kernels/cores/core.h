/* Which implementation of the inner loops this compilation takes; -DEKW_CORE=... overrides it.
 * Mirror of CORES in edgekws/emit/_c_scratch.py. */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#define EKW_PORTABLE 0 /* C11 */
#define EKW_DSP 1      /* Armv7E-M, Armv8-M with the DSP extension: Cortex-M4, M7, M33 */

#ifndef EKW_CORE
#if defined(__ARM_FEATURE_DSP) && __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_FEATURE_MVE)
#define EKW_CORE EKW_DSP
#else
#define EKW_CORE EKW_PORTABLE
#endif
#endif

#endif
