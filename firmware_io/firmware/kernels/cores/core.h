/* The implementation of the inner loops for this compilation; -DEKW_CORE=... overrides it. The host reads the list
 * (edgekws/emit/c/scratch.py): EKW_NAME is cores/name.h. */
#ifndef EKW_CORE_H
#define EKW_CORE_H

#define EKW_PORTABLE 0 /* C11 */
#define EKW_DSP 1      /* Armv7E-M, Armv8-M with the DSP extension: Cortex-M4, M7, M33 */
#define EKW_MVE 2      /* Armv8.1-M vectors of integers: Cortex-M52, M55, M85 */
#define EKW_AVX2 3     /* computers: AVX2, AVX-512 */

#ifndef EKW_CORE
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define EKW_CORE EKW_MVE
#elif defined(__ARM_FEATURE_DSP) && __ARM_ARCH_PROFILE == 'M'
#define EKW_CORE EKW_DSP
#elif defined(__AVX2__)
#define EKW_CORE EKW_AVX2
#else
#define EKW_CORE EKW_PORTABLE
#endif
#endif

#endif
