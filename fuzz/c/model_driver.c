/* model FEATURES COUNT: writes the scores of the first COUNT inputs of a file to stdout as bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

/* Each input and each result is an allocation of its exact size: an access beyond it is a finding. */
static int run_one(FILE *features) {
    int8_t *input = malloc(EKW_MODEL_INPUT_BYTES), *scores = malloc(EKW_MODEL_LABELS);
    int failed = input == NULL || scores == NULL;
    if (!failed && fread(input, EKW_MODEL_INPUT_BYTES, 1, features) == 1) {
        ekw_model_run(input, scores);
        failed = fwrite(scores, EKW_MODEL_LABELS, 1, stdout) != 1;
    }
    free(scores);
    free(input);
    return failed;
}

int main(int words, char **word) {
    FILE *features = words == 3 ? fopen(word[1], "rb") : NULL;
    if (features == NULL) {
        return 2;
    }
    int failed = 0;
    for (long left = strtol(word[2], NULL, 10); left > 0 && !failed; left--) {
        failed = run_one(features);
    }
    fclose(features);
    return failed;
}
