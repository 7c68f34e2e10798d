/* Runs the golden clips and compares every score. Exit status 0: all are equal.
 *
 * On a computer it prints what was said and what was heard. Compiled with -ffreestanding it needs no library: call
 * main() from your own start-up code, or take wrong_scores() into your own test. */
#include "golden.h"
#include "model.h"

#if __STDC_HOSTED__
#include <stdio.h>
#endif

_Static_assert(EDGEKWS_FEATURES == EKW_MODEL_INPUT_BYTES, "golden.h should belong to model.h");
_Static_assert(EDGEKWS_LABELS == EKW_MODEL_LABELS, "golden.h should belong to model.h");

static int32_t best(const int8_t *scores) {
    int32_t found = 0;
    for (int32_t i = 1; i < EKW_MODEL_LABELS; i++) {
        found = scores[i] > scores[found] ? i : found;
    }
    return found;
}

static int32_t wrong_scores(int32_t clip, const int8_t *scores) {
    int32_t wrong = 0;
    for (int32_t i = 0; i < EKW_MODEL_LABELS; i++) {
        wrong += scores[i] != edgekws_scores[clip][i];
    }
    return wrong;
}

static void show(int32_t clip, int32_t heard, int32_t wrong) {
#if __STDC_HOSTED__
    const char *said = ekw_model_labels[edgekws_labels[clip]];
    printf("%-12s heard as %-12s %s\n", said, ekw_model_labels[heard], wrong ? "WRONG SCORES" : "scores equal");
#else
    (void)clip, (void)heard, (void)wrong, (void)edgekws_labels;
#endif
}

int main(void) {
    int32_t failed = 0;
    for (int32_t clip = 0; clip < EDGEKWS_CLIPS; clip++) {
        int8_t scores[EKW_MODEL_LABELS];
        ekw_model_run(edgekws_features[clip], scores);
        const int32_t wrong = wrong_scores(clip, scores);
        show(clip, best(scores), wrong);
        failed += wrong != 0;
    }
#if __STDC_HOSTED__
    printf("%d of %d clips equal\n", (int)(EDGEKWS_CLIPS - failed), EDGEKWS_CLIPS);
#endif
    return failed != 0;
}
